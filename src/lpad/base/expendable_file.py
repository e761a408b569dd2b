"""Small files with data that lpad can do without: a damaged or unwritable file only causes a warning."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from lpad.base.regular_file import REWRITE, open_regular, read_regular

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)

_T = TypeVar("_T")


class ExpendableFile(Generic[_T]):
    """One value in a file, as JSON."""

    def __init__(self, path: Path | None, kind: type[_T]) -> None:
        """Create the object for a file; the file and its folder need not exist.

        Args:
            path: the path of the file; None: nothing is stored.
            kind: the type of the value; anything else in the file counts as damage.
        """
        self.path = path
        """The path of the file; None: nothing is stored."""
        self._kind = kind

    def read(self) -> _T | None:
        """Return the stored value; None if there is no readable value."""
        if self.path is None:
            return None
        try:
            return msgspec.json.decode(read_regular(self.path), type=self._kind)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be read: %s", self.path, error)
            return None

    def write(self, value: _T, *, synced: bool = False, name_synced: bool = False) -> bool:
        """Replace the value, so that a reader finds either the old one or the new one.

        Args:
            synced: whether the content is on the disk when this returns.
            name_synced: whether the file's name is on the disk, too, so that a loss of power cannot bring the
                old value back.

        Returns:
            Whether the value was written, and its name, too, if `name_synced` requests this.
        """
        if self.path is None:
            return False
        try:
            replace_file(self.path, msgspec.json.encode(value), synced=synced)
            if name_synced:
                _sync_folder(self.path.parent)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self.path, error)
            return False
        return True

    def remove(self) -> None:
        """Remove the value."""
        if self.path is None:
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s cannot be removed: %s", self.path, error)


def replace_file(path: Path, content: bytes, *, synced: bool) -> None:
    """Replace the file at `path`; create its folder if it is missing, accessible only to this user.

    Args:
        synced: whether the content is on the disk when this returns.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(open_regular(fresh, REWRITE), "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
    fresh.replace(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
