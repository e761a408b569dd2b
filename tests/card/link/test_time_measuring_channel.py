"""A channel whose commands are timed."""

from __future__ import annotations

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.link.time_measuring_channel import TimedChannel
from lpad.protocol.apdu import Apdu, Command

SELECT = Apdu(Command(0x00, 0xA4))
STATUS = Apdu(Command(0x80, 0xF2))


class Scripted:
    """A channel that answers the first command and is lost at the second."""

    aid: Aid = ISD_R
    closed = False

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        if apdu != SELECT:
            raise CardUnreachable("gone")
        return b"\x90\x00"

    def close(self, *, deadline: Deadline) -> None:
        self.closed = True


def test_each_command_is_observed_also_one_that_failed() -> None:
    """A timed channel passes everything on, and reports the seconds of each command, even a failed one."""
    seen: list[float] = []
    inner = Scripted()
    channel = TimedChannel(inner, seen.append)
    deadline = Deadline.after(1)
    assert channel.aid == ISD_R
    assert channel.transmit(SELECT, deadline=deadline) == b"\x90\x00"
    with pytest.raises(CardUnreachable):
        channel.transmit(STATUS, deadline=deadline)
    channel.close(deadline=deadline)
    assert inner.closed
    assert len(seen) == 2
    assert min(seen) >= 0
