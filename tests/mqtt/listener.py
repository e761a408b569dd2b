"""A backend at the broker: it subscribes to all topics, keeps each message, and publishes commands."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import msgspec
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from secret_hunt import HUNT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

PATIENCE = 120.0
_IDENTIFIER = re.compile(r"[0-9]{10,32}")
"""Numbers, such as EID and ICCID, that lpad-mqtt may publish in full; unlike them, codes contain letters."""


class Listener:
    """Subscribes to all topics, with a session that the broker keeps."""

    def __init__(
        self, port: int, *, name: str = "backend", username: str | None = None, password: str = ""
    ) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTv5)
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
        kept.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=kept)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        del client
        payload = bytes(message.payload)
        with self._news:
            self.messages.append((message.topic, payload, message.retain))
            if payload:
                found = msgspec.json.decode(payload)
                if "specversion" in found:
                    self._events.append(found)
                if found.get("status") != "init":  # The backend itself sends "init".
                    HUNT.hear(_IDENTIFIER.sub("…", payload.decode()))
            self._news.notify_all()

    def subscribed_again(self, restart: Callable[[], None]) -> None:
        """Call a function that restarts the broker, and wait until the backend has subscribed again."""
        self._subscribed.clear()
        restart()
        assert self._subscribed.wait(PATIENCE)

    def publish(self, topic: str, content: dict[str, Any] | None) -> None:
        """Publish a retained message on a topic; the content None clears the message."""
        payload = b"" if content is None else msgspec.json.encode(content)
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(PATIENCE)

    def until(self, found: Callable[[], Any]) -> Any:
        """Wait until the function returns a true value, and return this value."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while not (value := found()):
                left = end - time.monotonic()
                assert left > 0, [each[:2] for each in self.messages[-20:]]
                self._news.wait(min(left, 1))
            return value

    def at(self, topic: str) -> list[dict[str, Any]]:
        """Return the decoded messages of a topic in order, without empty ones."""
        return [
            msgspec.json.decode(payload) for at, payload, _ in list(self.messages) if at == topic and payload
        ]

    def events(self) -> list[dict[str, Any]]:
        """Return all CloudEvents, in order."""
        return list(self._events)

    def events_of(self, cause: str) -> list[dict[str, Any]]:
        """Return the CloudEvents whose data have the given `cause`, in order."""
        return [each for each in self.events() if each["data"].get("cause") == cause]
