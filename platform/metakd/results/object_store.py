"""An object store that holds a study's files: S3, Google Cloud Storage or Azure, by pyarrow.

Every machine works in a folder of its own and uploads files. An object appears whole or not at
all, and a list after a write has it: what ``atomic`` promises of files holds there, too.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pyarrow.fs as pafs

from metakd.atomic import DISK_IS_FULL, new_file
from metakd.results.study import SCHEMES, StoreError
from metakd.student_card import CARD

TRANSFERS_AT_ONCE = 16


@dataclass(frozen=True)
class ObjectStore:
    """A place in an object store. Names of files in it are relative to it, with slashes.

    Every call raises ``StoreError`` where the store does not answer, or refuses.

    Attributes:
        uri: For example ``s3://bucket/study``, or
            ``s3://bucket/study?scheme=http&endpoint_override=10.0.0.5:9000``.
    """

    uri: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.uri)
        if parts.scheme not in SCHEMES:
            raise StoreError(
                f"results go to a folder or to {', '.join(f'{s}://' for s in SCHEMES)}; "
                f"got {self.uri}"
            )
        if parts.password is not None:
            raise StoreError(
                "an address of results is recorded with them and may hold no secret: give it in "
                "the environment instead (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for s3://)"
            )
        if not parts.netloc or not parts.path.strip("/"):
            raise StoreError(f"write {parts.scheme}://BUCKET/STUDY, got {self.uri}")

    def __str__(self) -> str:
        return self.uri.rstrip("/")

    @property
    def id(self) -> str:
        """The place's own name: the first 16 hexadecimal digits of a hash."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:16]

    def address(self, name: str) -> str:
        """Returns the address of a file in it, as a person reads it."""
        parts = urlsplit(self.uri)
        return urlunsplit((parts.scheme, parts.netloc, f"{parts.path.rstrip('/')}/{name}", "", ""))

    def uri_of(self, name: str) -> str:
        """Returns the URI of a file in it, with the store's own options."""
        parts = urlsplit(self.uri)
        return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))

    def filesystem(self) -> tuple[pafs.FileSystem, str]:
        """Returns pyarrow's file system, and the place's path in it."""
        with self._errors_in_words():
            return _opened(self.uri)

    def names(self, under: str = "") -> dict[str, int]:
        """Returns the names of all files below a folder of the place, with their sizes in bytes."""
        filesystem, root = self.filesystem()
        top = f"{root}/{under}".rstrip("/")
        selector = pafs.FileSelector(top, recursive=True, allow_not_found=True)
        with self._errors_in_words():
            found = filesystem.get_file_info(selector)
        start = len(root) + 1
        return {f.path[start:]: f.size for f in found if f.type == pafs.FileType.File}

    def size(self, name: str) -> int | None:
        """Returns the size of a file in bytes, None if it is not there."""
        filesystem, root = self.filesystem()
        with self._errors_in_words():
            info = filesystem.get_file_info(f"{root}/{name}")
        return info.size if info.type == pafs.FileType.File else None

    def read(self, name: str) -> str | None:
        """Returns the text of a file, None if it is not there."""
        filesystem, root = self.filesystem()
        with self._errors_in_words():
            try:
                with filesystem.open_input_stream(f"{root}/{name}") as stream:
                    content: bytes = stream.read()
            except FileNotFoundError:
                return None
        return content.decode()

    def write(self, name: str, text: str) -> None:
        """Writes a small file; an older one is replaced."""
        filesystem, root = self.filesystem()
        with self._errors_in_words(), filesystem.open_output_stream(f"{root}/{name}") as stream:
            stream.write(text.encode())

    def push(self, files: Iterable[tuple[Path, str]]) -> None:
        """Copies files from here to names in the store; older ones are replaced.

        Files are whole when they appear. Where their order matters, push one after the other.
        """
        filesystem, root = self.filesystem()

        def copy(file: Path, name: str) -> None:
            pafs.copy_files(str(file), f"{root}/{name}", destination_filesystem=filesystem)

        self._each(copy, files)

    def fetch(self, files: Iterable[tuple[Path, str]]) -> None:
        """Copies files from names in the store to places here, whole or not at all."""
        filesystem, root = self.filesystem()

        def copy(place: Path, name: str) -> None:
            with new_file(place) as draft:
                pafs.copy_files(f"{root}/{name}", str(draft), source_filesystem=filesystem)

        self._each(copy, files)

    def remove(self, names: Iterable[str]) -> None:
        """Removes files; those that are not there are passed over."""
        filesystem, root = self.filesystem()

        def delete(_: Path, name: str) -> None:
            try:
                filesystem.delete_file(f"{root}/{name}")
            except FileNotFoundError:
                return

        self._each(delete, ((Path(), name) for name in names))

    def _each(self, work: Callable[[Path, str], None], files: Iterable[tuple[Path, str]]) -> None:
        listed = list(files)
        with self._errors_in_words():
            if len(listed) < 2:
                for place, name in listed:
                    work(place, name)
                return
            with ThreadPoolExecutor(TRANSFERS_AT_ONCE) as pool:
                for _ in pool.map(lambda item: work(*item), listed):
                    pass

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        """Turns what pyarrow says of a refusal into one line."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and (error.filename or error.errno in DISK_IS_FULL):
                raise  # of this machine's own disk
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"{self} does not answer as it should: {reason} (is the address right, and do "
                "the credentials in the environment allow reading and writing there?)"
            ) from error


def fetched_student(address: str, folder: Path) -> Path:
    """Fetches a student's weights and their card, and returns where the weights are.

    Args:
        address: Of its weights; options of the store may follow, as in ``ObjectStore.uri``.
        folder: Where to put them.

    Raises:
        StoreError: If they are not there, or the store does not answer.
    """
    parts = urlsplit(address)
    place, _, name = parts.path.rpartition("/")
    store = ObjectStore(urlunsplit(parts._replace(path=place)))
    names = (name, str(Path(name).with_suffix(CARD)))
    try:
        store.fetch((folder / each, each) for each in names)
    except FileNotFoundError as error:
        raise StoreError(
            f"there is no student {store.address(name)} with its card beside it: is the address "
            "right?"
        ) from error
    return folder / name


@lru_cache(maxsize=8)
def _opened(uri: str) -> tuple[Any, str]:
    filesystem, root = pafs.FileSystem.from_uri(uri)
    return filesystem, root.rstrip("/")
