"""Commands from the broker, in the manner of thin-edge.io: init, executing, then successful or failed.

A command is a retained message, and its state is written into that message. No other data needs to be stored:
after a restart or a lost connection, the broker delivers the message again, and lpad finds the existing
change by the idempotency key, which is derived from the command's topic.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from lpad.base.backoff import Backoff
from lpad.client import ApiError, DaemonUnreachable
from lpad.mqtt.broker_command_table import OPERATIONS, SECRETS
from lpad.mqtt.broker_connection import Message
from lpad.mqtt.broker_error import ConnectionLost, MessageRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from lpad.client import Change, Client
    from lpad.mqtt.broker_connection import BrokerConnection
    from lpad.mqtt.topics import Topics

_CODES = frozenset({"event_id"})
log = logging.getLogger(__name__)

MOST_AT_ONCE = 8
MOST_WAITING = 64
"""The number of commands that may wait for one of the eight threads; lpad-mqtt ignores further commands until
the broker delivers them again."""
PAUSES = Backoff((1, 5, 30, 120))
"""Seconds before an unreachable lpad is asked again, or a refused message is sent again."""
REFUSALS = 5
"""The number of times that a refused result is sent again before it is dropped."""
WAIT = 60.0
"""Seconds for which one request to lpad waits for a change's end."""
UNANSWERED = 10.0
"""Seconds until a change that waits for an answer is checked again."""

INIT, EXECUTING, SUCCESSFUL, FAILED = "init", "executing", "successful", "failed"
_LARGEST_CHANGE = 1 << 53


class CommandRunner:
    """Carries out commands in separate threads; the thread of the broker connection only queues them."""

    def __init__(
        self,
        new_client: Callable[[], Client],
        broker: BrokerConnection,
        topics: Topics,
        allowed: Collection[str],
    ) -> None:
        """Create the runner; `start` starts its threads.

        Args:
            new_client: returns a client of lpad's API.
            broker: receives the results.
            topics: the topics of commands.
            allowed: the names of the permitted operations; lpad-mqtt ignores all others.
        """
        self._new_client = new_client
        self._broker = broker
        self._topics = topics
        self._allowed = frozenset(allowed)
        self._waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(MOST_WAITING)
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"command {number}", daemon=True)
            for number in range(1, MOST_AT_ONCE + 1)
        ]

    @property
    def filters(self) -> list[str]:
        """The topic filters to subscribe to."""
        return [f"{self._topics.operation(name)}/+" for name in sorted(self._allowed)]

    def start(self) -> None:
        """Begin to carry out commands."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no further command; the broker still has each command's message."""
        self._stopping.set()

    def received(self, topic: str, payload: bytes) -> None:
        """Receive a command's message, and return immediately."""
        found = self._topics.command(topic)
        if found is None or not payload or found[0] not in self._allowed:
            return
        try:
            message = msgspec.json.decode(payload, type=dict[str, Any])
        except (ValueError, RecursionError):
            message = {}
        if message.get("status", INIT) not in (INIT, EXECUTING):
            return
        with self._lock:
            if topic in self._known:
                return
            self._known.add(topic)
        try:
            self._waiting.put_nowait((topic, message))
        except queue.Full:
            # The command's message remains unchanged, and the broker delivers it again with the next
            # connection.
            log.warning("refused the command %s: %d others wait", topic, MOST_WAITING)
            self._forget(topic)

    def _forget(self, topic: str) -> None:
        with self._lock:
            self._known.discard(topic)

    def _run(self) -> None:
        while not self._stopping.is_set():
            topic, message = self._waiting.get()
            try:
                self._carry_out(topic, message)
            except Exception:
                log.exception("the command %s: internal-error", topic)
                self._tell(
                    topic, {**_shown(message), "status": FAILED, "reason": "an internal error; see the log"}
                )
            finally:
                self._forget(topic)

    def _carry_out(self, topic: str, message: dict[str, Any]) -> None:
        found = self._topics.command(topic)
        assert found is not None
        name, command_id = found
        try:
            with self._new_client() as lpad:
                change = self._requested(lpad, name, command_id, message)
                shown = {**_shown(message), "change": change.id}
                ended = self._ended(lpad, topic, change, shown)
        except ApiError as error:
            log.info("the command %s failed: %s", topic, error.sentence)
            self._tell(
                topic,
                {**_shown(message), "status": FAILED, "reason": error.sentence, "kind": error.kind},
            )
            return
        if ended is not None:
            self._tell(topic, {**shown, **_outcome(ended)})

    def _requested(self, lpad: Client, name: str, command_id: str, message: dict[str, Any]) -> Change:
        """Return the change of a command: an existing one, or a new one.

        Raises:
            ApiError: lpad refuses, or the message has wrong fields.
        """
        number = message.get("change")
        resumed = (
            message.get("status") == EXECUTING and isinstance(number, int) and 0 < number < _LARGEST_CHANGE
        )
        operation = OPERATIONS[name]
        try:
            fields = msgspec.convert(message, operation.fields)
        except msgspec.ValidationError as error:
            raise ApiError(f"cannot read the command: {error}", kind="invalid-request") from error
        key = hashlib.sha256(f"{name}/{command_id}".encode()).hexdigest()

        def ask() -> Change:
            if resumed and isinstance(number, int):
                return lpad.change(number)
            return operation.request(lpad, fields, _card(lpad, fields.card), key)

        return self._asked(ask)

    def _ended(self, lpad: Client, topic: str, change: Change, shown: dict[str, Any]) -> Change | None:
        """Return the change once it has ended; None if this program ends first."""
        told: object = None
        number = change.id
        while not change.ended:
            question = change.question.kind if change.question is not None else None
            if told != (question,):
                told = (question,)
                self._tell(
                    topic, {**shown, "status": EXECUTING} | ({"question": question} if question else {})
                )
            if question is not None and self._stopping.wait(UNANSWERED):
                return None
            change = self._asked(lambda: lpad.change(number, wait=WAIT))
            if self._stopping.is_set():
                return None
        return change

    def _asked(self, ask: Callable[[], Change]) -> Change:
        """Send a request to lpad, repeatedly if lpad cannot be reached.

        Raises:
            ApiError: lpad refuses the request, or this program ends before lpad can be reached.
        """
        failures = 0
        while True:
            try:
                return ask()
            except DaemonUnreachable as error:
                failures += 1
                pause = PAUSES.after(failures)
                log.warning("%s; trying again in %.0f s", error.sentence, pause)
                if self._stopping.wait(pause):
                    raise

    def _tell(self, topic: str, message: dict[str, Any]) -> None:
        """Write a command's state into its retained message, once there is a connection."""
        payload = msgspec.json.encode(message)
        refusals = 0
        while not self._stopping.is_set():
            if not self._broker.wait_connected(WAIT):
                continue
            try:
                self._broker.publish(Message(topic, payload, retain=True))
            except ConnectionLost as error:
                log.debug("%s", error.sentence)
                self._stopping.wait(PAUSES.seconds[0])
            except MessageRefused as error:
                refusals += 1
                log.warning("cannot send the state of the command %s: %s", topic, error.sentence)
                if refusals > REFUSALS:
                    return
                self._stopping.wait(PAUSES.after(refusals))
            else:
                return


def _card(lpad: Client, asked: str | None) -> str:
    """Return the name of the card that a command means.

    Raises:
        ApiError: the command names no card, and lpad has several or none.
    """
    if asked is not None:
        return asked
    names = [each.name for each in lpad.euiccs()]
    if len(names) == 1:
        return names[0]
    raise ApiError(
        "the command does not name a card: set the field 'card' to one of: "
        + (", ".join(names) or "the cards in lpad's settings"),
        kind="invalid-request",
    )


def _shown(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without its secret codes; unknown fields remain."""
    return {name: value for name, value in message.items() if name not in SECRETS}


def _without_codes(value: Any) -> Any:
    """Return a result without the IDs of events, which are matching IDs at their servers."""
    if isinstance(value, dict):
        return {name: _without_codes(each) for name, each in value.items() if name not in _CODES}
    return [_without_codes(each) for each in value] if isinstance(value, list) else value


def _outcome(change: Change) -> dict[str, Any]:
    if change.state == "done":
        return {"status": SUCCESSFUL, "result": _without_codes(change.result or {})}
    if change.error is None:
        return {"status": FAILED, "reason": f"the change was {change.state}", "kind": change.state}
    return {"status": FAILED, "reason": change.error.sentence, "kind": change.error.kind}
