"""Regular files are opened, and anything else in their place is refused, without a wait."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from lpad.base.regular_file import open_regular, read_regular


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    """The whole file, or the requested part of it, is read, even through a symbolic link."""
    file = tmp_path / "file"
    file.write_bytes(b"content")
    (tmp_path / "link").symlink_to(file)
    assert read_regular(file) == b"content"
    assert read_regular(tmp_path / "link", most=3) == b"con"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT])
def test_a_fifo_is_refused_immediately(tmp_path: Path, flags: int) -> None:
    """A FIFO is refused without a wait, even if no process has its other end open."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match=r"not a regular file|No such device"):
        open_regular(fifo, flags)


def test_other_things_are_refused(tmp_path: Path) -> None:
    """Devices, folders and sockets are refused, and no descriptor of them stays open."""
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(str(tmp_path / "socket"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("/dev/zero", str(tmp_path), str(tmp_path / "socket")):
        with pytest.raises(OSError, match=r"not a regular file|No such device|Is a directory"):
            read_regular(Path(path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
