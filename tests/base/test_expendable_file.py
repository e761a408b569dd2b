"""Small files whose content lpad can do without."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from lpad.base.expendable_file import ExpendableFile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("synced", [True, False])
def test_a_value_is_kept(tmp_path: Path, *, synced: bool) -> None:
    """A written value is read again; file and folder are closed to others, and no other file is left."""
    path = tmp_path / "links" / "a.port"
    file = ExpendableFile(path, tuple[str, ...])
    assert file.read() is None
    file.write(("one", "two"), synced=synced)
    file.write(("three",), synced=synced)
    assert ExpendableFile(path, tuple[str, ...]).read() == ("three",)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["a.port"]
    file.remove()
    file.remove()
    assert file.read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"5", b"\xff\xfe"])
def test_a_damaged_file_is_none(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged file is read as missing, is logged as a warning with its path, and can be replaced."""
    path = tmp_path / "a.port"
    path.write_bytes(content)
    file = ExpendableFile(path, str)
    assert file.read() is None
    assert f"{path} cannot be read" in caplog.text
    file.write("x")
    assert file.read() == "x"


def test_a_path_that_leads_elsewhere_does_not_stop_lpad(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Lpad does not wait for a FIFO in the file's place; a file in the folder's place causes a warning."""
    os.mkfifo(tmp_path / "fifo")
    assert ExpendableFile(tmp_path / "fifo", str).read() is None
    (tmp_path / "file").touch()
    ExpendableFile(tmp_path / "file" / "a.port", str).write("x")
    assert "cannot be written" in caplog.text


def test_without_a_path_nothing_is_stored() -> None:
    """Without a path, a write stores nothing, and a read returns None."""
    file = ExpendableFile(None, str)
    file.write("x")
    assert file.read() is None
    file.remove()
