"""The write-ahead log is read without SQLite: whichever bit is wrong, each page gets its own content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.flip_trials.sample_journal import KILLED, make
from faults.injected.flip import FILES, Flip
from lpad.engine.journal.salvage.write_ahead_log import read_log

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
FRAME = PAGE + 24
HEADER = 32


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a journal's write-ahead log."""
    folder: Path = tmp_path_factory.mktemp("log")
    make(folder)
    return (folder / KILLED / FILES[1]).read_bytes()


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_wrong_bit_in_a_page_number(log: bytes, part: int) -> None:
    """The checksum shows which page a frame belongs to, even if its damaged number is another page's."""
    right = read_log(log)
    assert not right.damaged
    found = 0
    for head in range(HEADER + part * FRAME, len(log) - FRAME, 4 * FRAME):
        for bit in (0, 1, 2, 3, 4, 7):
            read = read_log(Flip(FILES[1], head + 3, bit).done_to(log), as_written=False)
            if read.damaged:
                found += 1
                assert read.pages == right.pages, (head, bit)
    assert found > 20


def test_content_that_looks_like_a_wrong_page_number(log: bytes) -> None:
    """SQLite's checksum confuses some bits of a page with bits of its number, so lpad keeps both readings."""
    right = read_log(log)
    unclear = 0
    for frame in (20, 34):
        for at in range(91, PAGE, 96):
            for bit in (3, 4):
                flip = Flip(FILES[1], HEADER + frame * FRAME + 24 + at, bit)
                read = read_log(flip.done_to(log))
                assert set(read.pages) <= set(right.pages), flip
                unclear += read.unclear
    assert unclear


def test_the_first_sector_is_gone(log: bytes) -> None:
    """Without the header and the first frame, the later frames still identify their log."""
    right = read_log(log)
    read = read_log(bytes(512) + log[512:])
    assert read.damaged
    assert read.pages.keys() == right.pages.keys()
    assert [page for page in right.pages if read.pages[page] != right.pages[page]] == []


@pytest.mark.parametrize("frames", [2, 6, 16])
def test_frames_of_an_earlier_round_stay_out(log: bytes, frames: int) -> None:
    """Frames of an earlier round, which follow the new frames of a restarted log, are not read."""
    salt = int.from_bytes(log[16:20], "big")
    earlier = (salt - 1).to_bytes(4, "big") + bytes(4)
    content = bytearray(bytes(512) + log[512:])
    for at in range(HEADER + frames * FRAME, len(log) - FRAME + 1, FRAME):
        content[at + 8 : at + 16] = earlier
    read = read_log(bytes(content))
    whole = read_log(log[: HEADER + frames * FRAME])
    assert set(read.pages) <= whole.pages.keys()
