"""A channel that measures the time of its commands."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import Channel
    from lpad.protocol.apdu import Apdu


log = logging.getLogger(__name__)


class TimedChannel:
    """Passes all calls on to a channel, and `observe` gets the seconds of each command, even a failed one."""

    def __init__(self, channel: Channel, observe: Callable[[float], None]) -> None:
        self._channel = channel
        self.aid = channel.aid
        self._observe = observe

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send one command APDU (see `Channel`)."""
        started = time.monotonic()
        try:
            return self._channel.transmit(apdu, deadline=deadline)
        finally:
            try:
                self._observe(time.monotonic() - started)
            except Exception:  # a fault in a metric must not lose the card's answer
                log.exception("cannot record the duration of a command: internal-error")

    def close(self, *, deadline: Deadline) -> None:
        """Close the channel (see `Channel`)."""
        self._channel.close(deadline=deadline)
