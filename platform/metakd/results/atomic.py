"""Files that appear whole or not at all, also under a kill."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

DRAFT_SUFFIX = ".tmp"


def atomic_write(path: Path, content: bytes | Callable[[Path], None]) -> None:
    """Writes a file beside its place, flushes it to disk, then renames it to ``path``.

    Whoever reads ``path`` sees the old file or the new one, never a part. A kill can leave a draft
    behind; its name ends in ``.tmp``, so that no reader takes it for a result.

    Args:
        path: Where the file belongs; missing folders are made, an older file is replaced.
        content: The bytes, or a function that writes the file at the path that it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid4().hex}{DRAFT_SUFFIX}")
    try:
        if callable(content):
            content(draft)
        else:
            draft.write_bytes(content)
        _flush(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    # Without this a power cut can undo the rename.
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
