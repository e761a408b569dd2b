"""Events, sent from lpad's outbox to the broker in order and repeated until the broker confirms them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lpad.base.backoff import Backoff
from lpad.base.frozen import Frozen
from lpad.base.untrusted_number import whole_number
from lpad.client import ApiError
from lpad.mqtt.broker_connection import Message
from lpad.mqtt.broker_error import ConnectionLost, MessageRefused
from lpad.mqtt.event_masking import masked_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paho.mqtt.client import MQTTMessageInfo

    from lpad.client import Event
    from lpad.mqtt.broker_connection import BrokerConnection
    from lpad.mqtt.position_file import PositionFile
    from lpad.mqtt.topics import Topics

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/cloudevents+json"
"""The content type of a CloudEvent in structured mode (CloudEvents MQTT binding, 3.2)."""
AT_ONCE = 20
"""The maximum number of unconfirmed events, and also of events that are read ahead."""
PAUSES = Backoff((1, 5, 30, 120, 600))
"""Seconds before lpad is asked again, or a refused event is sent again."""
SET_ASIDE_AFTER = 5 * 24 * 3600.0
"""Seconds for which a refused event is sent again before lpad-mqtt gives it up and sends the next one."""
KEPT_EVERY = 1.0
"""Seconds between two writes of the position while there are many events."""
ACKNOWLEDGED_EVERY = 10.0
"""Seconds between two reports to lpad about the latest event that the broker has confirmed."""

_LOOK = 60.0


class Source(Protocol):
    """The source of events."""

    def cloud_events(self, *, after: int, listener: str) -> Iterator[Event]:
        """Yield the events after a number, then new events, for a named listener."""


class Acknowledgements(Protocol):
    """The part of lpad that gets the number of the last event that a listener has acknowledged."""

    def acknowledge(self, name: str, position: int) -> object:
        """Report to lpad the last event that a listener no longer needs."""


class _Numbered(Frozen):
    number: int
    message: Message | None
    """None: lpad's journal is new, and this number is the new position."""


class EventForwarder:
    """Forwards events in three threads: one reads, one sends, one reports to lpad the last confirmed event.

    lpad's outbox is the buffer on the disk. An event counts as sent once the broker has confirmed it. Until
    then, lpad-mqtt requests the event again after a restart, and lpad counts it as awaited. A repeated event
    has an unchanged ID.
    """

    def __init__(
        self,
        source: Source,
        acknowledgements: Acknowledgements,
        broker: BrokerConnection,
        topics: Topics,
        position: PositionFile,
        *,
        listener: str,
        redacted: bool,
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        """Create the forwarder; `start` starts its threads.

        Args:
            source: a client of lpad's API.
            acknowledgements: another client of lpad's API, for the reports of confirmed events.
            broker: receives the events.
            topics: the topics of the events.
            position: the file with the number of the last confirmed event.
            listener: the name under which lpad knows this program.
            redacted: whether identifiers are masked.
            on_event: receives each event, in the thread that reads.
        """
        self._source = source
        self._acknowledgements = acknowledgements
        self._listener = listener
        self._broker = broker
        self._topics = topics
        self._file = position
        self._redacted = redacted
        self._on_event = on_event
        self._position = self._written = self._acknowledged = position.read()
        self._begins_anew: int | None = None
        self._written_at = 0.0
        self._read_ahead: queue.Queue[_Numbered | None] = queue.Queue(AT_ONCE)
        self._unconfirmed: deque[_Numbered] = deque()
        self._refused_at: dict[int, float] = {}
        self._stopping = threading.Event()
        self._again = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, name="events", daemon=True),
            threading.Thread(target=self._send, name="sender", daemon=True),
            threading.Thread(target=self._acknowledge, name="acknowledgements", daemon=True),
        ]

    @property
    def position(self) -> int:
        """The number of the last event that the broker has confirmed."""
        return self._position

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start the shutdown, and store the position; the threads end with the process."""
        self._stopping.set()
        self._again.set()
        with suppress(queue.Full):
            self._read_ahead.put_nowait(None)
        self._keep()

    def connected(self) -> None:
        """Send refused events again now, because the broker may have a different access list."""
        self._again.set()

    def _read(self) -> None:
        """Read lpad's events, and start again after each end of the stream."""
        last, failures = self._position, 0
        while not self._stopping.is_set():
            before = last
            told = "lpad has ended the stream of events"
            # The broker must have confirmed this position, because lpad counts it as acknowledged.
            begin = self._position if self._begins_anew is None else self._begins_anew
            try:
                for event in self._source.cloud_events(after=begin, listener=self._listener):
                    number = whole_number(event.id)
                    if number is None:
                        continue
                    if event.type == "lost":
                        log.warning("%s events were no longer in lpad's outbox", event.data.get("count"))
                    elif event.type == "listening" and number < begin:
                        last = begin = self._begins_anew = number
                        self._read_ahead.put(_Numbered(number, None))
                    elif number > last:  # otherwise the event was read before the last connection ended
                        last = number
                        self._read_ahead.put(self._numbered(event, number))
                    if self._stopping.is_set():
                        return
            except ApiError as error:
                told = error.sentence
            except Exception:
                log.exception("events: internal-error")
            failures = 1 if last > before else failures + 1
            pause = PAUSES.after(failures)
            log.warning("cannot read events: %s; trying again in %.0f s", told, pause)
            self._stopping.wait(pause)

    def _acknowledge(self) -> None:
        """Report the last confirmed event to lpad; if lpad cannot be reached, this is repeated."""
        while not self._stopping.wait(ACKNOWLEDGED_EVERY):
            position = self._position
            if position != self._acknowledged and self._begins_anew is None:
                try:
                    self._acknowledgements.acknowledge(self._listener, position)
                    self._acknowledged = position
                except ApiError as error:
                    log.debug("cannot report to lpad that event %d has arrived: %s", position, error.sentence)
                except Exception:
                    log.exception("events: internal-error")

    def _numbered(self, event: Event, number: int) -> _Numbered:
        self._on_event(event.data)
        data = masked_event(event.data) if self._redacted else event.data
        return _Numbered(
            number,
            Message(self._topics.event(event.type), msgspec.json.encode(data), content_type=CONTENT_TYPE),
        )

    def _send(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            if not self._broker.wait_connected(_LOOK):
                continue
            self._again.clear()
            before = self._position
            try:
                self._send_on_this_connection()
            except ConnectionLost as error:
                log.debug("%s", error.sentence)
            except MessageRefused as error:
                failures = 1 if self._position > before else failures + 1
                pause = PAUSES.after(failures)
                log.warning("cannot send an event: %s; trying again in %.0f s", error.sentence, pause)
                self._again.wait(pause)
            except Exception:
                log.exception("events: internal-error")
                self._again.wait(PAUSES.after(failures := failures + 1))

    def _send_on_this_connection(self) -> None:
        """Send the unconfirmed events, then new ones.

        Raises:
            MessageRefused: the broker refused the oldest event.
            ConnectionLost: the connection ended.
        """
        under_way = deque((each, self._handed_over(each)) for each in self._unconfirmed)
        while not self._stopping.is_set():
            while under_way and (len(under_way) >= AT_ONCE or self._read_ahead.empty()):
                self._confirm(*under_way[0])
                under_way.popleft()
            if not under_way:
                self._keep()
            found = self._read_ahead.get()
            if found is None:
                return
            if found.message is None:
                self._position = found.number
                self._begins_anew = None
                continue
            self._unconfirmed.append(found)
            under_way.append((found, self._handed_over(found)))

    def _handed_over(self, event: _Numbered) -> MQTTMessageInfo:
        assert event.message is not None
        return self._broker.send(event.message)

    def _confirm(self, event: _Numbered, info: MQTTMessageInfo) -> None:
        try:
            self._broker.confirmed(info)
        except MessageRefused as error:
            since = self._refused_at.setdefault(event.number, time.monotonic())
            if time.monotonic() - since < SET_ASIDE_AFTER:
                raise
            log.error("event %d is no longer sent: %s", event.number, error.sentence)  # noqa: TRY400 - the broker has refused it
        self._refused_at.pop(event.number, None)
        self._unconfirmed.popleft()
        self._position = event.number
        if time.monotonic() - self._written_at >= KEPT_EVERY:
            self._keep()

    def _keep(self) -> None:
        if self._position != self._written:
            self._file.write(self._position)
            self._written, self._written_at = self._position, time.monotonic()
