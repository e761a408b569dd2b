"""The file with the number of the last event that was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.mqtt.position_file import PositionFile

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_kept(tmp_path: Path) -> None:
    file = PositionFile(tmp_path / "position")
    assert file.read() == 0
    file.write(42)
    assert PositionFile(tmp_path / "position").read() == 42
    assert [path.name for path in tmp_path.iterdir()] == ["position"]


@pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"-1", b"1" * 5000])
def test_a_damaged_file(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    """A damaged position file is read as 0, and the log says that all kept events are sent again."""
    (tmp_path / "position").write_bytes(content)
    assert PositionFile(tmp_path / "position").read() == 0
    assert "all kept events are sent again" in caplog.text


def test_a_folder_that_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PositionFile(tmp_path / "gone" / "position").write(1)
    assert "cannot write" in caplog.text
