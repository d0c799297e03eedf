"""Datasets of the Hugging Face Hub, through its ``datasets`` library: ``hf:NAME``.

The library keeps what it loads as Arrow files, which are read here as Parquet files are.
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.decoded_tables import decode_tables
from metakd.data.datasets.named_options import absolute_path, read_side, split_options
from metakd.data.datasets.source import DecodedSource
from metakd.data.datasets.split_names import SPLIT_WORDS, Split
from metakd.extras import require

VERSION = 1
"""Raised whenever datasets are read in another way: what was decoded before is not used."""

FORM = "hf:NAME[,CONFIG][,split=SPLIT][,size=N]"
LOADERS = ("arrow", "imagefolder", "parquet", "webdataset")
"""Names that the library takes for loaders of the files in the working directory."""

LOGGERS = ("datasets", "huggingface_hub")


class Named(NamedTuple):
    """What stands behind ``hf:``."""

    name: str
    config: str | None
    split: str | None
    side: int | None


@dataclass(frozen=True)
class HubTable:
    """A split of a dataset as a table of images.

    Attributes:
        name: The dataset and its split, for errors.
        rows: The split, a ``datasets.Dataset``.
        remedy: How the split is left out, for errors.
    """

    name: str
    rows: Any
    remedy: str = "take another split, as in split=train"

    def schema(self) -> pa.Schema:
        """Returns names and types of the columns; names of classes are in the metadata."""
        return self.rows.features.arrow_schema

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns a column."""
        return self._only(name)[:].column(name)

    def encoded(self, name: str, rows: int) -> Iterator[list[bytes | None]]:
        """Yields the encoded images of a column, so many rows at once.

        An image that the library keeps by its path alone is read from its file.
        """
        for batch in self._only(name).iter(rows):
            yield [_bytes_of(image) for image in batch.column(name).to_pylist()]

    def _only(self, name: str) -> Any:  # noqa: ANN401 - a datasets.Dataset
        return self.rows.select_columns([name]).with_format("arrow")


def hub_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns the images of a dataset of the Hub, of the cache, or of a folder.

    The splits train, test and validation, by the words of ``split_names``, are those of the
    dataset; others are left out. A split that is named stands alone.

    Args:
        argument: "NAME", or with more words "NAME,CONFIG,split=SPLIT,size=S".
        options: Names the columns, and says what to do about corrupt images.

    Raises:
        DatasetError: If there is no such dataset, it cannot be had, or has no known splits.
    """
    named = _named(argument)
    folder = absolute_path(named.name)
    is_local = folder.is_dir()
    loaded, notes = _load(str(folder) if is_local else named.name, named)
    shown = ",".join(
        filter(None, [folder.resolve().name if is_local else named.name, named.config])
    )
    if named.split is not None:
        shown += f",split={named.split}"
    taken, left_out = _splits_of(shown, {named.split: loaded} if named.split else loaded)
    tables = [HubTable(f"hf:{shown}, {name}", rows) for name, (rows, _) in taken.items()]
    splits = dict(
        zip((table.name for table in tables), (s for _, s in taken.values()), strict=True)
    )
    key = [
        [options.image_column, options.label_column, options.corrupt_images, named.side],
        [[name, split, _files(rows)] for name, (rows, split) in taken.items()],
    ]
    return DecodedSource(
        name=f"hf:{shown}",
        key=f"hf {VERSION} {json.dumps(key)}",
        decode=partial(
            decode_tables,
            f"hf:{shown}",
            tables,
            lambda some: [splits[table.name] for table in some],
            options,
            named.side,
        ),
        notes=(*notes, *left_out),
    )


def _named(argument: str) -> Named:
    name, options = split_options(argument)
    words = options.split(",") if options else []
    for word in words:
        if word.partition("=")[0] not in ("split", "size"):
            raise DatasetError(f"hf has no option {word!r}: it is written {FORM}")
    splits = [word.removeprefix("split=") for word in words if word.startswith("split=")]
    side = read_side("hf", ",".join(word for word in words if word.startswith("size=")))
    config = ""
    if not (name and absolute_path(name).is_dir()):
        name, _, config = name.partition(",")
    if not name or "" in splits:
        raise DatasetError(f"hf needs the name of a dataset: it is written {FORM}")
    if name in LOADERS and not absolute_path(name).is_dir():
        raise DatasetError(
            f"hf:{name} names a loader of the library and no dataset: it is written {FORM}; files "
            "of your own are parquet:PATH, imagefolder:PATH or hf:FOLDER"
        )
    return Named(name, config or None, splits[-1] if splits else None, side)


def _load(place: str, named: Named) -> tuple[Any, list[str]]:
    """Returns a dataset by split, or the split that is named, and notes on where it was found."""
    require("datasets", f"hf:{named.name}")
    import datasets
    from huggingface_hub import snapshot_download

    def load(path: str) -> Any:  # noqa: ANN401 - of the library
        return datasets.load_dataset(path, named.config, split=named.split, keep_in_memory=False)

    with _quiet(datasets):
        try:
            return load(place), []
        except ConnectionError as error:
            try:
                # Where the Hub's own command put it, which the library does not look through.
                snapshot = snapshot_download(place, repo_type="dataset", local_files_only=True)
                return load(snapshot), [
                    "the Hub was not reached: this is its snapshot in the cache"
                ]
            except Exception:
                raise _refusal(named, error) from error
        except Exception as error:
            raise _refusal(named, error) from error


def _refusal(named: Named, error: Exception) -> DatasetError:
    """Returns the error of a dataset that cannot be loaded, with what mends it."""
    reason = str(error).partition("Example of usage")[0].strip(" \n.") or type(error).__name__
    if isinstance(error, ConnectionError):
        mend = (
            "it is not in the cache below HF_HOME either: load it once where the Hub is reached, "
            "or name a folder that holds it"
        )
    elif "gated" in reason:
        mend = "accept its terms on the Hub, then hf auth login, or set HF_TOKEN"
    else:
        mend = f"it is written {FORM}"
    return DatasetError(f"hf:{named.name} cannot be loaded: {reason}; {mend}")


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:  # noqa: ANN401 - the library
    """Keeps warnings of the library back; its progress, too, where nobody looks at a terminal."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    hides_progress = not (sys.stderr.isatty() or datasets.are_progress_bars_disabled())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if hides_progress:
            datasets.disable_progress_bars()
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            if hides_progress:
                datasets.enable_progress_bars()


def _splits_of(
    shown: str, loaded: Mapping[str, Any]
) -> tuple[dict[str, tuple[Any, Split | None]], list[str]]:
    """Returns the splits that are taken, each with what it is, and notes on the others."""
    if len(loaded) == 1:
        ((name, rows),) = loaded.items()
        return {name: (rows, SPLIT_WORDS.get(name.lower()))}, []
    taken: dict[str, tuple[Any, Split | None]] = {}
    found = set[Split]()
    # A split that is called test is the test set, whatever else is called eval.
    for name in sorted(loaded, key=lambda name: name not in SPLIT_WORDS.values()):
        split = SPLIT_WORDS.get(name.lower())
        if split is not None and split not in found:
            found.add(split)
            taken[name] = (loaded[name], split)
    others = [name for name in loaded if name not in taken]
    if others and "train" not in found:
        raise DatasetError(
            f"hf:{shown} has the splits {', '.join(loaded)}, and none is called train: take one of "
            f"them by ,split={others[0]}, say"
        )
    notes = [
        f"left out: {len(loaded[name]):,} samples of the split {name}, which is none of train, "
        "test and validation"
        for name in others
    ]
    return taken, notes


def _files(rows: Any) -> Sequence[tuple[str, int, int]]:  # noqa: ANN401 - a datasets.Dataset
    """Returns the files that hold a split, with their sizes and times."""
    files = [Path(each["filename"]) for each in rows.cache_files]
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]


def _bytes_of(image: Mapping[str, Any] | None) -> bytes | None:
    if image is None:
        return None
    encoded: bytes | None = image["bytes"]
    file = Path(image.get("path") or "")
    return file.read_bytes() if encoded is None and file.is_file() else encoded
