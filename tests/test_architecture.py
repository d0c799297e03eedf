"""The walls between the layers, read off the imports."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Set
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "platform" / "metakd"

# What a layer may import of this project, beside itself.
MAY_IMPORT = {
    "core": set(),
    "data": {"core"},
    "models": {"core"},
    "strategies": {"core"},
    "testing": {"core", "data", "strategies", "study", "train"},
    "results": set(),
    "analysis": {"results", "strategies"},
    "train": {"core", "data", "models", "results"},
    "study": {"core", "data", "models", "results", "analysis", "strategies", "train"},
    "dashboards": {"results", "analysis", "strategies"},
    "studies": {"study", "dashboards"},
}
LAYERS = tuple(MAY_IMPORT)
# What every layer stands on: the standard library alone.
FLOOR = {
    "atomic",
    "endings",
    "errors",
    "extras",
    "home",
    "installed",
    "machine",
    "memory",
    "output",
    "own_code",
    "registry",
    "signals",
    "student_card",
}
# What it must not import of others.
FOREIGN = {
    "core": {"ray", "pyarrow", "plotly", "sklearn", "pandas"},
    "data": {"ray", "plotly"},
    "models": {"ray", "pyarrow", "plotly"},
    "strategies": {"ray", "torch", "pyarrow", "plotly", "sklearn", "pandas"},
    "testing": {"ray", "pyarrow", "plotly", "sklearn", "pandas"},
    "results": {"ray", "torch", "timm", "plotly"},
    "analysis": {"ray", "torch", "timm", "plotly"},
    "train": {"plotly"},
    "study": {"plotly"},
    "dashboards": {"ray", "torch", "timm"},
    "studies": {"ray", "torch", "timm", "pandas", "plotly"},
}

# What reports take of them.
ALL_STRATEGIES = (
    "metakd.strategies; [metakd.strategies.style_of(n) for n in metakd.strategies.STRATEGIES]"
)

# Each of them takes a second to import, or more.
HEAVY = {"ray", "timm", "sklearn", "scipy", "pandas", "pyarrow", "plotly", "optuna", "torchvision"}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names = {alias.name for alias in node.names} - {"__version__"}
            at_top = node.module == "metakd"
            found |= {f"metakd.{name}" for name in names} if at_top else {node.module or ""}
    return found


def files_of(layer: str) -> list[Path]:
    files = sorted((PACKAGE / layer).rglob("*.py"))
    assert files, f"the layer {layer} is empty"
    return files


def modules() -> list[Path]:
    """Returns all modules of the package. A link, as dashboards/ is, is not followed by rglob."""
    return [*sorted(PACKAGE.glob("*.py")), *(path for layer in LAYERS for path in files_of(layer))]


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_lies_below_it(layer: str) -> None:
    for path in files_of(layer):
        for name in imports(path):
            top, _, rest = name.partition(".")
            assert top not in FOREIGN[layer], f"{path} imports {name}"
            if top == "metakd":
                imported = rest.partition(".")[0]
                assert imported in MAY_IMPORT[layer] | FLOOR | {layer}, f"{path} imports {name}"


def test_every_layer_is_held() -> None:
    layers = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert layers == set(MAY_IMPORT) == set(FOREIGN)


def test_the_product_reads_nothing_outside_itself() -> None:
    for path in modules():
        assert "../shared" not in path.read_text(), path


def test_whatever_is_imported_of_this_project_is_there() -> None:
    """Also by benchmarks and examples, which no test runs."""
    elsewhere = [p for name in ("tests", "examples", "docs") for p in (ROOT / name).rglob("*.py")]
    missing = [
        f"{path.relative_to(ROOT)}: {node.module}.{name.name}"
        for path in (*modules(), *elsewhere)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "metakd"
        for name in node.names
        if name.name not in names_of(str(node.module))
    ]
    assert missing == []


@cache
def _names_in(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
    return frozenset(names)


def names_of(module: str) -> frozenset[str]:
    """Returns what can be imported of a module: its names, and the modules below it."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    if place.is_dir():
        below = {found.stem for found in place.iterdir() if found.suffix == ".py" or found.is_dir()}
        return _names_in(place / "__init__.py") | below
    file = place.with_suffix(".py")
    return _names_in(file) if file.is_file() else frozenset()


def test_platform_stays_the_standard_library_module() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    code = "import platform; print(platform.python_version())"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip().startswith("3.")


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("metakd.core.training, metakd.testing", {"ray", "pyarrow", "plotly", "timm"}),
        ("metakd.results.reader, metakd.analysis.summarise", {"ray", "torch", "plotly"}),
        ("metakd.dashboards.report", {"ray", "torch"}),
        # Reports name and draw strategies.
        (ALL_STRATEGIES, HEAVY | {"torch"}),
        # A mistyped word is answered by these alone.
        ("metakd.study.main, metakd.dashboards.__main__", HEAVY | {"numpy", "torch"}),
        # What --dry-run needs: a plan without a cluster, an analysis or timm.
        ("metakd.study.execute, metakd.data.datasets.digits", HEAVY - {"pyarrow"}),
    ],
)
def test_importing_a_module_loads_nothing_heavier_than_it_needs(
    modules: str, absent: set[str]
) -> None:
    code = f"import sys, {modules}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not absent & set(printed.stdout.split())


# A question, a figure, a method and a strategy have one name in each layer; so do check functions
# and what they check, and the options of two parts of the core.
SLICES = {"questions", "figures", "distillers", "strategies", "studies", "testing"}


def test_a_file_name_says_where_it_is() -> None:
    files = [
        path
        for path in modules()
        if path.name not in ("__init__.py", "__main__.py", "config.py")
        and not SLICES.intersection(path.relative_to(ROOT).parts)
    ]
    assert len(files) > 150
    places = defaultdict(list)
    for path in files:
        places[path.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_modules_import_each_other() -> None:
    """What is imported later, in a function or for types alone, may point back."""
    paths = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in modules()
    }
    graph = {
        name: paths.keys() & imported_at_once(path, paths.keys()) for name, path in paths.items()
    }
    assert sum(map(len, graph.values())) > 500
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def imported_at_once(path: Path, modules: Set[str]) -> set[str]:
    """Returns what a module's own import needs; ``modules`` are those of this project."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = modules & {f"{node.module}.{alias.name}" for alias in node.names}
            # A package's own modules import one another before it is whole.
            found |= submodules or {node.module}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)
    return found
