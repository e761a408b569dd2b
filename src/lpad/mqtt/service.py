"""The service: events, retained states and commands, on one connection to the broker."""

from __future__ import annotations

import logging
import queue
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from lpad.base.backoff import Backoff
from lpad.base.errors import InvalidSettings
from lpad.client import ApiError, Client
from lpad.mqtt.broker_connection import BrokerConnection, Message, tls_context
from lpad.mqtt.broker_error import BrokerError, ConnectionLost
from lpad.mqtt.card_state import card_state, encoded
from lpad.mqtt.command_runner import CommandRunner
from lpad.mqtt.event_forwarder import EventForwarder
from lpad.mqtt.home_assistant import discovery
from lpad.mqtt.position_file import PositionFile
from lpad.mqtt.topics import DOWN, UP, Topics

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.mqtt.mqtt_settings import MqttSettings

log = logging.getLogger(__name__)

PAUSES = Backoff((1, 5, 30, 120))
"""Seconds before lpad-mqtt tries again to read or publish a state."""
_ALL = ""
"""Means all cards, in place of a card's name."""


class Service:
    """The connection to the broker, with its users: commands, events and states."""

    def __init__(self, settings: MqttSettings, *, folder: Path) -> None:
        """Create the service; `start` begins to connect.

        Args:
            settings: the settings file as it was read.
            folder: the folder to which relative paths in the settings refer.

        Raises:
            InvalidSettings: a file in the settings, or the state folder, cannot be used.
        """
        self._settings = settings
        self._topics = Topics.of(settings.topics)
        self._new_client = partial(Client, str(folder / settings.socket))
        state_folder = folder / settings.state_folder
        try:
            state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            context = tls_context(settings, lambda text: str(folder / text))
        except OSError as error:
            raise InvalidSettings(
                f"cannot make the folder {state_folder}: {error.strerror}; name another 'state_folder'"
            ) from error
        except BrokerError as error:
            raise InvalidSettings(error.sentence) from error
        password = settings.password(folder)
        self._changed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._broker = BrokerConnection(
            settings,
            self,
            password=password,
            context=context,
            will=self._health(DOWN),
            topics=[f"{self._topics.operation(name)}/+" for name in settings.commands],
        )
        self._commands = CommandRunner(self._new_client, self._broker, self._topics, settings.commands)
        self._events = EventForwarder(
            self._new_client(),
            self._new_client().listeners,
            self._broker,
            self._topics,
            PositionFile(state_folder / "position"),
            listener=settings.listener,
            redacted=settings.identifiers == "redacted",
            on_event=self._event,
        )
        self._states = threading.Thread(target=self._keep_states, name="states", daemon=True)

    @property
    def position(self) -> int:
        """The number of the last event that the broker has confirmed."""
        return self._events.position

    def start(self) -> None:
        """Start the threads for commands, events and states, and begin to connect to the broker."""
        self._commands.start()
        self._events.start()
        self._states.start()
        self._broker.start()

    def stop(self) -> None:
        """Stop the threads, publish that lpad-mqtt is down, and end the connection."""
        self._stopping.set()
        self._changed.put(None)
        self._commands.stop()
        self._events.stop()
        try:
            self._broker.publish(self._health(DOWN))
        except BrokerError as error:
            log.debug("%s", error.sentence)
        self._broker.stop()

    def connected(self) -> None:
        """Publish all states again, because the broker may have lost them."""
        self._events.connected()
        self._changed.put(_ALL)

    def received(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Pass a message to the command runner."""
        del retained
        self._commands.received(topic, payload)

    def _health(self, status: str) -> Message:
        return Message(self._topics.health, msgspec.json.encode({"status": status}), retain=True)

    def _event(self, event: dict[str, Any]) -> None:
        card = event.get("subject")
        if isinstance(card, str):
            self._changed.put(card)

    def _keep_states(self) -> None:
        failures = 0
        wanted: set[str] = set()
        while not self._stopping.is_set():
            if not wanted:
                first = self._changed.get()
                if first is None:
                    return
                wanted.add(first)
            while not self._changed.empty():
                more = self._changed.get()
                if more is not None:
                    wanted.add(more)
            if not self._broker.wait_connected(PAUSES.longest):
                continue
            try:
                self._publish(wanted)
                wanted.clear()
                failures = 0
            except ConnectionLost as error:
                log.debug("%s", error.sentence)
                self._stopping.wait(PAUSES.seconds[0])
            except (BrokerError, ApiError) as error:
                failures += 1
                pause = PAUSES.after(failures)
                log.warning(
                    "cannot publish a card's state: %s; trying again in %.0f s", error.sentence, pause
                )
                self._stopping.wait(pause)

    def _publish(self, wanted: set[str]) -> None:
        """Publish the states of the wanted cards; for `_ALL`, all cards, lpad-mqtt itself and the operations.

        Raises:
            ApiError: lpad cannot be reached, or refuses the request.
            BrokerError: the broker refuses, or the connection was lost.
        """
        if _ALL in wanted:
            self._broker.publish(self._health(UP))
            for operation in self._settings.commands:
                self._broker.publish(Message(self._topics.operation(operation), b"{}", retain=True))
        with self._new_client() as lpad:
            names = [each.name for each in lpad.euiccs()]
            for name in names:
                if not wanted.isdisjoint({name, _ALL}):
                    self._publish_card(lpad, name, introduce=_ALL in wanted)

    def _publish_card(self, lpad: Client, name: str, *, introduce: bool) -> None:
        state = card_state(lpad, name, redacted=self._settings.identifiers == "redacted")
        self._broker.publish(Message(self._topics.card(name), encoded(state), retain=True))
        if introduce and self._settings.home_assistant:
            topic, content = discovery(
                name,
                prefix=self._topics.prefix,
                state_topic=self._topics.card(name),
                health=self._topics.health,
                up=UP,
                down=DOWN,
            )
            self._broker.publish(Message(topic, msgspec.json.encode(content), retain=True))
