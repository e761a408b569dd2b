"""SQLite's write-ahead log, read without SQLite: all committed transactions, even after a damaged frame.

SQLite reads a log up to the first frame that is wrong and forgets the rest, as it must after a power cut in
the middle of a transaction. SQLite mistakes a wrong bit for such a power cut, and loses all later
transactions. This module distinguishes damage from a power cut: lpad runs one transaction at a time, so a log
with more than one commit after the wrong frame was damaged. SQLite's file format is documented at
https://sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from msgspec import field

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""The byte order of the checksums, by the log's magic number."""
_HEADER = 32
_FRAME = 24
_SMALLEST, _LARGEST = 512, 65536


class WriteAheadLog(Frozen):
    """The pages that a log adds to its file."""

    pages: Mapping[int, bytes] = field(default_factory=dict)
    """The latest committed content of each page, by number from 1."""
    page_size: int | None = None
    damaged: bool = False
    """Whether SQLite would ignore committed transactions."""
    unclear: bool = False
    """Whether, in some frame, a wrong bit may be either in the page's number or in its content."""


def read_log(data: bytes, *, page_size: int = 4096, as_written: bool = True) -> WriteAheadLog:
    """Read a write-ahead log.

    Args:
        data: the file's content.
        page_size: the page size in bytes, used if the log's header cannot be read.
        as_written: whether a doubtful page number is used as written; otherwise as its checksum requires.
    """
    if len(data) < _HEADER + _FRAME + _SMALLEST:
        return WriteAheadLog()
    magic, _, size, _, salts, first, second = struct.unpack(">IIII8sII", data[:_HEADER])
    order = _MAGIC.get(magic)
    sound_header = (
        order is not None
        and _SMALLEST <= size <= _LARGEST
        and size & (size - 1) == 0
        and _sum(data[:24], (0, 0), order) == (first, second)
    )
    if not sound_header:
        size, order = page_size, "<" if order is None else order
        salts = _latest_salts(data, size, order)
    assert order is not None, "the header or the default gives the order"
    frames = _frames(data, size, salts)
    valid = _valid(frames, (first, second), order) if sound_header else 0
    commits = [number for number, frame in enumerate(frames, start=1) if frame.committed]
    lost = [number for number in commits if number > valid]
    damaged = len(lost) > 1 or (bool(lost) and not sound_header)
    end = max(commits if damaged else [number for number in commits if number <= valid], default=0)
    pages = {frame.page: frame.content for frame in frames[:end]}
    unclear = False
    if damaged:
        seeds = [(first, second), *(frame.checksum for frame in frames)]
        last = max((frame.committed for frame in frames), default=0)
        numbers = [
            _page_of(frame, seed, order, last=last) for frame, seed in zip(frames[:end], seeds, strict=False)
        ]
        unclear = any(number != frame.page <= last for number, frame in zip(numbers, frames, strict=False))
        pages = {
            frame.page if as_written and 0 < frame.page <= last else number: frame.content
            for number, frame in zip(numbers, frames, strict=False)
            if number  # 0 if the frame's head was overwritten with zeros
        }
    return WriteAheadLog(pages=pages, page_size=size, damaged=damaged, unclear=unclear)


class _Frame(Frozen):
    page: int
    committed: int
    """The file's number of pages, in the last frame of a transaction; 0 in other frames."""
    salted: bool
    """Whether the frame has its log's salts, which the checksum does not cover."""
    checksum: tuple[int, int]
    head: bytes
    content: bytes


def _frames(data: bytes, size: int, salts: bytes) -> list[_Frame]:
    """Return the frames up to the last one with these salts, including earlier ones with other salts."""
    frames = []
    last = 0
    for at in range(_HEADER, len(data) - _FRAME - size + 1, _FRAME + size):
        page, committed, of_frame, first, second = struct.unpack(">II8sII", data[at : at + _FRAME])
        content = data[at + _FRAME : at + _FRAME + size]
        frames.append(_Frame(page, committed, of_frame == salts, (first, second), data[at : at + 8], content))
        if of_frame == salts:
            last = len(frames)
    return frames[:last]


def _latest_salts(data: bytes, size: int, order: str) -> bytes:
    """Return the salts of the latest frames in a log whose header, which contains the salts, is unreadable.

    A log is written again from its beginning, each time with the next higher first salt, and earlier frames
    stay behind the latest ones. So the first frame that continues its predecessor is one of the latest
    frames; if there are too few of these, only their first salt identifies them.
    """
    starts = range(_HEADER, len(data) - _FRAME - size + 1, _FRAME + size)
    salts = [data[at + 8 : at + 16] for at in starts]
    for number in range(1, len(salts)):
        before, at = starts[number - 1], starts[number]
        seed, found = (struct.unpack(">II", data[each + 16 : each + _FRAME]) for each in (before, at))
        content = data[at : at + 8] + data[at + _FRAME : at + _FRAME + size]
        if salts[number] == salts[number - 1] and _sum(content, seed, order) == found:
            higher = _following(salts[number])
            return next((each for each in salts[:number] if each[:4] == higher), salts[number])
    return salts[0] if salts else b""


def _following(salts: bytes) -> bytes:
    """Return the first salt of the frames that SQLite writes after the frames with these salts."""
    return (int.from_bytes(salts[:4], "big") + 1 & 0xFFFFFFFF).to_bytes(4, "big")


def _valid(frames: list[_Frame], checksum: tuple[int, int], order: str) -> int:
    """Return how many frames SQLite would read: each checksum continues the previous one."""
    for number, frame in enumerate(frames):
        checksum = _sum(frame.head + frame.content, checksum, order)
        if checksum != frame.checksum or not frame.salted:
            return number
    return len(frames)


def _page_of(frame: _Frame, seed: tuple[int, int], order: str, *, last: int) -> int:
    """Return the page number of a frame. A wrong number would make an old page count as new.

    Each checksum continues the previously written one, so each frame can be examined separately. SQLite's
    checksum is weak: some bits of the content have the same effect as a bit of the number.
    """
    for mask in (0, *(1 << bit for bit in range(32))):
        page = frame.page ^ mask
        head = page.to_bytes(4, "big") + frame.head[4:]
        if 0 < page <= last and _sum(frame.content, _sum(head, seed, order), order) == frame.checksum:
            return page
    return frame.page


def _sum(data: bytes, begin: tuple[int, int], order: str) -> tuple[int, int]:
    one, other = begin
    for first, second in struct.iter_unpack(f"{order}II", data):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
