"""The page in a real browser, from disk."""

import csv
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from chromium import EXECUTABLE, Chromium, Tab
from made_up_study import deciding_study, taking_looks

from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import FIGURES
from metakd.dashboards.report import write_report
from metakd.dashboards.side_by_side import write_comparison
from metakd.dashboards.theme import DARK, LIGHT

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium on this machine")

COUNT = "document.querySelectorAll('[data-figure]').length"
DRAWN = "+(document.documentElement.dataset.drawn || 0)"
ALL_DRAWN = f"{DRAWN} === {COUNT}"
A4_WIDTH = 703  # pixels between margins of 12 mm
LEAVES_PAPER = (
    "[...document.querySelectorAll('.main-svg, table, .card')]"
    f".some(e => e.getBoundingClientRect().right > {A4_WIDTH})"
)
TAB, ENTER = ("Tab", 9), ("Enter", 13)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    running = Chromium(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    opened = Tab(browser)
    yield opened
    opened.close()


@pytest.fixture
def page(summary: Summary, tmp_path: Path) -> Path:
    return write_report(tmp_path, summary)


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_all_is_drawn_in_silence(tab: Tab, page: Path, theme: str, colours: dict) -> None:
    tab.open(page, f"draw=all&theme={theme}")
    tab.wait(ALL_DRAWN)
    assert tab.run("document.documentElement.dataset.theme") == theme
    assert tab.run("document.querySelectorAll('.main-svg').length") >= tab.run(COUNT)
    assert tab.run(COUNT) == len(FIGURES)
    grounds = tab.run("[...document.querySelectorAll('.main-svg')].map(s => s.style.background)")
    wanted = tuple(int(colours["card"][at : at + 2], 16) for at in (1, 3, 5))
    assert f"rgb{wanted}" in grounds
    assert tab.requests() == []
    assert tab.complaints() == []


def test_the_theme_follows_the_reader_and_the_button(tab: Tab, page: Path) -> None:
    tab.media(prefers_color_scheme="dark")
    tab.open(page, "draw=all")
    tab.wait(ALL_DRAWN)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = tab.run(ground)
    assert tab.run("document.getElementById('theme').textContent") == "Light"
    tab.run("document.getElementById('theme').click()")
    assert tab.run("document.documentElement.dataset.theme") == "light"
    assert tab.run(ground) != dark
    titles = "document.querySelector('.main-svg .xtitle, .main-svg .legendtext').style.fill"
    tab.wait(f"{titles} !== ''")
    # Once chosen, the reader's system no longer decides.
    tab.media(prefers_color_scheme="light")
    tab.media(prefers_color_scheme="dark")
    assert tab.run("document.documentElement.dataset.theme") == "light"
    assert tab.complaints() == []


def test_figures_are_drawn_as_they_come_near_and_nothing_moves(tab: Tab, page: Path) -> None:
    tab.open(page)
    tall = tab.run("document.documentElement.scrollHeight")
    assert tab.run(DRAWN) < tab.run(COUNT)
    tab.run("document.querySelectorAll('[data-figure]').forEach(f => f.scrollIntoView())")
    for number in range(tab.run(COUNT)):
        tab.run(f"document.querySelectorAll('[data-figure]')[{number}].scrollIntoView()")
        tab.wait(f"document.querySelectorAll('[data-figure]')[{number}].querySelector('svg')")
    tab.wait(ALL_DRAWN)
    assert tab.run("document.documentElement.scrollHeight") == tall


def test_no_table_of_a_usual_study_has_a_scroll_bar_on_a_screen(tab: Tab, page: Path) -> None:
    tab.open(page, "draw=all")
    tab.wait(ALL_DRAWN)
    wide = tab.run(
        "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth)"
        ".map(s => `${s.getAttribute('aria-label')} ${s.scrollWidth} ${s.clientWidth}`)"
    )
    assert wide == []


def test_a_hostile_name_does_not_run(tab: Tab, summary: Summary, tmp_path: Path) -> None:
    attack = "document.documentElement.dataset.hacked=1"
    hostile = f"</script><script>{attack}</script><img src=x onerror={attack}><b>="
    named = replace(
        summary,
        study=hostile,
        provenance={"command": hostile, hostile: hostile},
        spec={hostile: hostile},
        settings=tuple(replace(s, key=f"{hostile}{i}") for i, s in enumerate(summary.settings)),
        responses=tuple(replace(c, key=f"{hostile}{i}") for i, c in enumerate(summary.responses)),
    )
    for path in (
        write_report(tmp_path, named),
        write_comparison(tmp_path / "both.html", [(tmp_path, named), (tmp_path / "b", named)]),
    ):
        tab.open(path, "draw=all")
        tab.wait(ALL_DRAWN)
        assert tab.run("document.documentElement.dataset.hacked") is None
        assert tab.run("document.querySelectorAll('img').length") == 0
        assert tab.requests() == []


def test_a_phone_scrolls_figures_and_not_the_page(
    browser: Chromium, page: Path, summary: Summary, tmp_path: Path
) -> None:
    phone = Tab(browser, width=390)
    both = write_comparison(
        tmp_path / "both.html", [(tmp_path, summary), (tmp_path / "b", replace(summary, study="b"))]
    )
    for path in (page, both):
        phone.open(path, "draw=all")
        phone.wait(ALL_DRAWN)
        assert phone.run("document.documentElement.scrollWidth") <= 390
        # Nothing sticks out to be reached by no scrolling at all.
        out = "e => !e.closest('.scroll, .contents') && e.getBoundingClientRect().right > 390"
        assert not phone.run(f"[...document.querySelectorAll('h1, p, dl, .card')].some({out})")
        boxes = phone.run(
            "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth)"
            ".map(b => [b.tabIndex, b.getAttribute('role'), !!b.getAttribute('aria-label')])"
        )
        assert boxes
        assert all(box == [0, "region", True] for box in boxes)
    assert phone.complaints() == []
    phone.close()


def test_many_strategies_fit_a_screen_and_a_phone(
    browser: Chromium, many: Summary, tmp_path: Path
) -> None:
    page = write_report(tmp_path, many)
    for width in (1240, 390):
        tab = Tab(browser, width=width)
        tab.open(page, "draw=all&theme=dark")
        tab.wait(ALL_DRAWN)
        assert tab.run("document.documentElement.scrollWidth") <= width
        out = f"e => !e.closest('.scroll, .contents') && e.getBoundingClientRect().right > {width}"
        assert not tab.run(f"[...document.querySelectorAll('h1, p, dl, .card')].some({out})")
        # Names beside curves neither touch nor leave their drawing; no legend lies on a plot.
        boxes = "[...document.querySelectorAll('#anytime .annotation-text')]"
        tops = tab.run(f"{boxes}.map(e => e.getBoundingClientRect().top).sort((a, b) => a - b)")
        assert len(tops) == len(many.anytime)
        assert min(b - a for a, b in pairwise(tops)) > 12
        edge = "document.querySelector('#anytime .main-svg').getBoundingClientRect().right"
        assert tab.run(f"Math.max(...{boxes}.map(e => e.getBoundingClientRect().right)) <= {edge}")
        for figure in ("augmentations", "profiles"):
            part = f"document.querySelector('#{figure} {{}}').getBoundingClientRect()"
            bottom = tab.run(f"{part.format('.legend .bg')}.bottom")
            assert bottom <= tab.run(f"{part.format('.gridlayer')}.top"), figure
        assert tab.complaints() == []
        tab.close()


def test_answers_to_every_question_fit_a_phone_and_paper(
    browser: Chromium, summary: Summary, tmp_path: Path
) -> None:
    phone = Tab(browser, width=390)
    for question in ("teacher_gap", "augmentation_gap", "transfer"):
        phone.resize(390)
        phone.media()
        phone.open(write_report(tmp_path, replace(summary, question=question)))
        assert phone.run("document.documentElement.scrollWidth") <= 390
        out = "e => !e.closest('.scroll, .contents') && e.getBoundingClientRect().right > 390"
        assert not phone.run(f"[...document.querySelectorAll('h1, p, dl, svg')].some({out})")
        phone.media("print")
        phone.resize(A4_WIDTH)
        phone.wait(ALL_DRAWN)
        assert not phone.run(LEAVES_PAPER)
    assert phone.complaints() == []
    phone.close()


def test_declared_looks_fit_a_screen_a_phone_and_paper(browser: Chromium, tmp_path: Path) -> None:
    taking_looks(deciding_study(0.2, 0.008), tmp_path, most=2)
    page = write_report(tmp_path, summarise(tmp_path))
    for width, theme in ((1240, "dark"), (390, "light")):
        tab = Tab(browser, width=width)
        tab.open(page, f"draw=all&theme={theme}")
        tab.wait(ALL_DRAWN)
        assert tab.run("document.documentElement.scrollWidth") <= width
        # A row for each declared look, whose words stand beside the plot and inside the drawing.
        assert tab.run("document.querySelectorAll('#looks .ytick').length") == 4
        drawing = "document.querySelector('#looks .main-svg').getBoundingClientRect()"
        notes = "[...document.querySelectorAll('#looks .annotation-text')]"
        right = f"Math.max(...{notes}.map(e => e.getBoundingClientRect().right))"
        assert tab.run(f"{right} <= {drawing}.right")
        labels = "[...document.querySelectorAll('#looks .ytick text')]"
        left = f"Math.min(...{labels}.map(e => e.getBoundingClientRect().left))"
        assert tab.run(f"{left} >= {drawing}.left")
        assert tab.run("document.querySelectorAll('#outlook .scatterlayer .trace').length") == 4
        assert tab.run("document.querySelectorAll('#allocation tbody tr').length") == 4
        assert tab.requests() == []
        assert tab.complaints() == []
        tab.close()
    paper = Tab(browser, width=A4_WIDTH)
    paper.open(page)
    paper.media("print")
    paper.resize(A4_WIDTH)
    paper.wait(ALL_DRAWN)
    assert not paper.run(LEAVES_PAPER)
    paper.close()


@pytest.mark.parametrize(
    ("study", "figures", "screens"),
    [
        ("whole", ("weights", "outcomes", "classes"), ((1240, "dark"), (390, "light"))),
        ("taught", ("teaching", "quizzes"), ((390, "dark"),)),
    ],
)
def test_figures_of_teachers_fit_a_screen_and_a_phone(
    browser: Chromium,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    study: str,
    figures: tuple[str, ...],
    screens: tuple[tuple[int, str], ...],
) -> None:
    page = write_report(tmp_path, request.getfixturevalue(study))
    for width, theme in screens:
        tab = Tab(browser, width=width)
        tab.open(page, f"draw=all&theme={theme}")
        tab.wait(ALL_DRAWN)
        assert tab.run("document.documentElement.scrollWidth") <= width
        out = f"e => !e.closest('.scroll, .contents') && e.getBoundingClientRect().right > {width}"
        assert not tab.run(f"[...document.querySelectorAll('h1, p, dl, .card, svg')].some({out})")
        for figure in figures:
            # Headings of panels touch neither each other nor the legend.
            boxes = tab.run(
                f"[...document.querySelectorAll('#{figure} .annotation-text, #{figure} .legend')]"
                ".map(e => e.getBoundingClientRect()).map(b => [b.left, b.right, b.top, b.bottom])"
            )
            assert len(boxes) > 2
            for one, other in combinations(boxes, 2):
                apart_x = one[1] <= other[0] or other[1] <= one[0]
                assert apart_x or one[3] <= other[2] + 1 or other[3] <= one[2] + 1, figure
        # Names of teachers in tables keep to whole words.
        names = "[...document.querySelectorAll('.teachers tbody th, .learning tbody th')]"
        assert tab.run(f"Math.max(...{names}.map(e => e.getBoundingClientRect().height))") < 80
        tab.media("print")
        tab.resize(A4_WIDTH)
        tab.wait(ALL_DRAWN)
        assert not tab.run(LEAVES_PAPER)
        assert tab.complaints() == []
        assert tab.requests() == []
        tab.close()


def test_the_keyboard_reaches_every_button(tab: Tab, page: Path) -> None:
    tab.open(page, "draw=all")
    tab.wait(ALL_DRAWN)
    focused = "(document.activeElement.textContent.trim() || document.activeElement.className)"
    tab.press(*TAB)
    assert tab.run(focused) == "Skip to the evidence"
    tab.press(*TAB)
    assert tab.run("document.activeElement.id") == "theme"
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    before = tab.run("document.documentElement.dataset.theme")
    tab.press(*ENTER)
    assert tab.run("document.documentElement.dataset.theme") != before
    tab.run("document.querySelectorAll('button').forEach(b => b.onfocus = () => b.dataset.met = 1)")
    buttons = tab.run("document.querySelectorAll('button').length")
    for _ in range(6 * buttons):
        tab.press(*TAB)
        if tab.run("document.querySelectorAll('button:not(#theme):not([data-met])').length") == 0:
            break
    else:
        pytest.fail("some button cannot be reached with the Tab key")
    names = tab.run(
        "[...document.querySelectorAll('button')].map("
        "b => b.getAttribute('aria-label') || b.textContent)"
    )
    assert len(set(names)) == len(names)


def saved(folder: Path, pattern: str) -> Path:
    until = time.monotonic() + 30
    while not (found := list(folder.glob(pattern))):
        assert time.monotonic() < until, f"no {pattern} was saved"
        time.sleep(0.05)
    return found[0]


def test_figures_and_data_can_be_saved(tab: Tab, page: Path, tmp_path: Path) -> None:
    tab.downloads(tmp_path)
    tab.open(page)

    def press(which: str) -> None:
        tab.run(f"document.querySelector('{which}').click()")

    press("[data-save=svg][data-of=differences]")
    assert b"<svg" in saved(tmp_path, "metakd-differences.svg").read_bytes()
    press("[data-save=png][data-of=differences]")
    assert saved(tmp_path, "metakd-differences.png").read_bytes().startswith(b"\x89PNG")
    press("[data-csv=accuracies]")
    text = saved(tmp_path, "metakd-accuracies.csv").read_text(encoding="utf-8-sig")
    head, first, *_ = csv.reader(io.StringIO(text))
    assert head[:4] == ["setting", "n train", "n held out", "no teacher, last epoch"]
    assert first[:3] == ["10 % · none", "94", "20"]
    press("[data-csv=differences]")
    rows = saved(tmp_path, "metakd-differences.csv").read_text(encoding="utf-8-sig")
    shown = tab.run("document.querySelector('[data-table=differences]').rows.length")
    assert len(list(csv.reader(io.StringIO(rows)))) == shown
    assert tab.requests() == []
    assert tab.complaints() == []


def test_a_spreadsheet_runs_no_formula(tab: Tab, summary: Summary, tmp_path: Path) -> None:
    first, *others = summary.settings
    named = replace(summary, settings=(replace(first, key='=cmd|"x"!A1'), *others))
    tab.downloads(tmp_path)
    tab.open(write_report(tmp_path, named))
    tab.run("document.querySelector('[data-csv=accuracies]').click()")
    text = saved(tmp_path, "metakd-accuracies.csv").read_text(encoding="utf-8-sig")
    _, row, *_ = csv.reader(io.StringIO(text))
    assert row[0] == '\'=cmd|"x"!A1'


def test_paper_has_all_figures_on_white(tab: Tab, page: Path) -> None:
    tab.open(page, "theme=dark")
    assert tab.run(DRAWN) < tab.run(COUNT)
    tab.run("""addEventListener("beforeprint", () => {
        const drawings = document.querySelectorAll(".plot .main-svg");
        window.printed = [document.documentElement.dataset.theme, drawings.length];
    })""")
    assert tab.pdf(paperWidth=8.27, paperHeight=11.69).startswith(b"%PDF")
    theme, drawings = tab.run("window.printed")
    assert theme == "light"
    assert drawings >= tab.run(COUNT)
    assert tab.run("document.documentElement.dataset.theme") == "dark"
    tab.media("print")
    tab.resize(A4_WIDTH)
    tab.wait(ALL_DRAWN)
    assert not tab.run(LEAVES_PAPER)
    hidden = "button, .contents, details, .skip"
    assert tab.run(f"[...document.querySelectorAll('{hidden}')].every(e => !e.offsetParent)")
    assert tab.complaints() == []


def test_studies_side_by_side_fit_on_paper(tab: Tab, summary: Summary, tmp_path: Path) -> None:
    tab.media("print")
    tab.resize(A4_WIDTH)
    other = replace(summary, study="another")
    tab.open(write_comparison(tmp_path / "c.html", [(tmp_path, summary), (tmp_path / "b", other)]))
    assert not tab.run(LEAVES_PAPER)


def test_many_strategies_fit_on_paper(tab: Tab, many: Summary, tmp_path: Path) -> None:
    tab.media("print")
    tab.resize(A4_WIDTH)
    tab.open(write_report(tmp_path, many), "draw=all")
    tab.wait(ALL_DRAWN)
    assert not tab.run(LEAVES_PAPER)


def test_without_scripts_the_answer_and_the_data_are_there(
    tab: Tab, page: Path, summary: Summary
) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(page)
    shown = tab.run("document.body.innerText")
    for words in (summary.verdict.headline, "no clear gap", "Full grid", "JavaScript draws this"):
        assert words in shown
    visible = "[...document.querySelectorAll('{}')].filter(e => e.offsetParent).length"
    assert tab.run(visible.format("button")) == 0
    assert tab.run(visible.format("details summary")) == tab.run(COUNT)


def test_the_contents_say_where_the_reader_is(tab: Tab, page: Path) -> None:
    tab.open(page)
    here = "document.querySelector('.contents [aria-current]')?.hash"
    assert tab.run(here) is None
    for target in ("transfer", "runs"):
        tab.run(f"document.getElementById('{target}').scrollIntoView()")
        tab.wait(f"{here} === '#{target}'")
    tab.run("scrollTo(0, document.documentElement.scrollHeight)")
    tab.wait(f"{here} === '#provenance'")
    tab.run("document.querySelector('.contents [href=\"#methods\"]').click()")
    tab.wait(f"{here} === '#methods'")


def test_a_watched_page_shows_what_was_rendered_since(
    tab: Tab, summary: Summary, tmp_path: Path
) -> None:
    running = replace(summary, inventory=replace(summary.inventory, finished=40))
    path = write_report(tmp_path, running, refresh_s=1)
    tab.open(path, "theme=dark")
    assert "40 of 84" in tab.run("document.body.innerText")
    write_report(tmp_path, replace(running, inventory=replace(running.inventory, finished=84)))
    tab.wait("document.body?.innerText.includes('84 of 84')")
    tab.wait("document.documentElement.dataset.theme === 'dark'")
    assert tab.requests() == []


def test_the_command_can_be_copied(tab: Tab, page: Path) -> None:
    tab.open(page)
    tab.run("document.querySelector('[data-copy]').click()")
    tab.wait("['Copied', 'Selected'].includes(document.querySelector('[data-copy]').textContent)")
