"""Files and folders that appear whole or not at all, also under a kill or with several writers."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
"""What an error's ``errno`` is where no more can be written."""


@contextmanager
def new_file(place: Path) -> Iterator[Path]:
    """Yields a path to write a file at; after the block it is flushed and renamed to ``place``.

    A reader of ``place`` sees the old file or the new one, never a part. A kill can leave a draft
    behind; its name starts with a dot and keeps no suffix, so that no reader takes it for a result.
    """
    draft = _draft_beside(place)
    try:
        yield draft
        _flush(draft)
        draft.replace(place)
        # Without this a power cut can undo the rename.
        _flush(place.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; after the block it is flushed and renamed to ``place``.

    Where another writer came first, its folder stays: both hold the same content.
    """
    draft = _draft_beside(place)
    draft.mkdir()
    try:
        yield draft
        for file in draft.iterdir():
            _flush(file)
        # A folder cannot replace one that has files in it.
        with contextlib.suppress(OSError):
            draft.rename(place)
        if not place.is_dir():
            raise OSError(f"cannot rename {draft} to {place}")
        _flush(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft_beside(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.with_name(f".{place.name}.{uuid4().hex}")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
