"""The connection to the MQTT broker, restored with growing pauses.

Each attempt uses a new client, because paho's client would itself resend the unconfirmed messages of a lost
connection, which lpad-mqtt also resends.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from typing import TYPE_CHECKING, Protocol

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    MQTTMessageInfo,
    MQTTv5,
    MQTTv311,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lpad.base.backoff import Backoff
from lpad.base.frozen import Frozen
from lpad.mqtt.broker_error import BrokerError, ConnectionLost, MessageRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode

    from lpad.mqtt.mqtt_settings import MqttSettings

log = logging.getLogger(__name__)

PAUSES = Backoff((1, 2, 5, 15, 60, 300))
"""Seconds between two attempts to connect; a connection of `LASTING` seconds resets the pauses."""
LASTING = 60.0
PATIENCE = 20.0
"""Seconds to connect, and for the broker to confirm a message."""
SESSION_LASTS = 7 * 24 * 3600
"""Seconds for which the broker keeps commands for a client that is not connected (MQTT 5, 3.1.2.11.2)."""
LARGEST_MESSAGE = 64 * 1024
"""The maximum number of bytes of a message from the broker; larger messages are ignored."""

_LOOK = 0.5


class Message(Frozen):
    """A message to a topic."""

    topic: str
    payload: bytes
    retain: bool = False
    content_type: str | None = None


class Owner(Protocol):
    """A user of the connection; its methods are called in the connection's thread, and must return soon."""

    def connected(self) -> None:
        """Handle a new connection, for which the subscriptions have been requested."""

    def received(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Receive a message to one of the subscribed topics."""


class BrokerConnection:
    """Maintains the connection to the broker in a separate thread."""

    def __init__(
        self,
        settings: MqttSettings,
        owner: Owner,
        *,
        password: str | None,
        context: ssl.SSLContext | None,
        will: Message,
        topics: Sequence[str],
    ) -> None:
        """Create the object; `start` begins to connect.

        Args:
            settings: the broker's address and the client's identity.
            owner: the object whose methods the connection calls.
            password: the password of the user in the settings; None: no password.
            context: the TLS context; None: the connection is not encrypted.
            will: the message that the broker publishes if the connection ends unexpectedly.
            topics: filters to subscribe to.
        """
        self._settings = settings
        self._owner = owner
        self._password = password
        self._context = context
        self._will = will
        self._topics = list(topics)
        self._client: Client | None = None
        self._up = threading.Event()
        self._stopping = threading.Event()
        self._refused: dict[int, str] = {}
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    @property
    def _name(self) -> str:
        return f"the broker at {self._settings.host}:{self._settings.port}"

    def start(self) -> None:
        """Begin to connect to the broker."""
        self._thread.start()

    def stop(self) -> None:
        """Disconnect properly, so that the broker does not publish the last will, and end."""
        self._stopping.set()
        client = self._client
        if client is not None:
            client.disconnect()
        self._thread.join(PATIENCE)

    def wait_connected(self, seconds: float) -> bool:
        """Wait for a connection, at most for `seconds`; return whether there is a connection."""
        return self._up.wait(seconds)

    def send(self, message: Message) -> MQTTMessageInfo:
        """Send a message at QoS 1, and return the object that `confirmed` waits for.

        Raises:
            ConnectionLost: there is no connection.
        """
        client = self._client
        if client is None or not self._up.is_set():
            raise ConnectionLost(f"cannot publish at {self._name}: there is no connection")
        properties = None
        if self._settings.version == "5" and message.content_type is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # untyped in paho
            properties.ContentType = message.content_type
        info = client.publish(
            message.topic, message.payload, qos=1, retain=message.retain, properties=properties
        )
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            raise ConnectionLost(f"cannot publish at {self._name}: the connection has ended")
        return info

    def confirmed(self, info: MQTTMessageInfo) -> None:
        """Wait until the broker has confirmed a message.

        Raises:
            MessageRefused: the broker refused the message; a broker with MQTT 3.1.1 cannot report this.
            ConnectionLost: the connection ended first, or the broker was silent for `PATIENCE` seconds.
        """
        end = time.monotonic() + PATIENCE
        client = self._client
        while not info.is_published():
            if not self._up.is_set() or self._client is not client:
                raise ConnectionLost(f"the connection ended before {self._name} confirmed a message")
            if time.monotonic() >= end:
                self._drop(client)
                raise ConnectionLost(f"{self._name} has not confirmed a message within {PATIENCE:.0f} s")
            info.wait_for_publish(_LOOK)
        reason = self._refused.pop(info.mid, None)
        if reason is not None:
            raise MessageRefused(
                f"{self._name} refused a message: {reason}; check its access list for this client"
            )

    def publish(self, message: Message) -> None:
        """Send a message and wait until it is confirmed.

        Raises:
            MessageRefused: as for `confirmed`.
            ConnectionLost: as for `send` and `confirmed`.
        """
        self.confirmed(self.send(message))

    def _drop(self, client: Client | None) -> None:
        self._up.clear()
        if client is not None:
            client.disconnect()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._one_connection()
            except BrokerError as error:
                log.warning("%s", error.sentence)
            except Exception:
                log.exception("the connection to %s: internal-error", self._name)
            failures = 1 if time.monotonic() - began >= LASTING else failures + 1
            self._stopping.wait(PAUSES.after(failures))

    def _one_connection(self) -> None:
        """Connect, and serve the connection until it ends.

        Raises:
            BrokerError: the connection could not be made, or has ended.
        """
        client = self._new_client()
        self._failure = None
        try:
            self._connect(client)
            self._client = client
            client.loop_forever(timeout=self._settings.keepalive / 4)
        finally:
            self._up.clear()
            self._client = None
            self._refused.clear()
        if self._stopping.is_set():
            return
        raise BrokerError(self._why_ended())

    def _why_ended(self) -> str:
        return self._failure or self._lost("it was closed")

    def _lost(self, why: str) -> str:
        return (
            f"the connection to {self._name} was lost: {why}; lpad-mqtt connects again. If this repeats,"
            f" another client may use the client ID '{self._settings.client}': set 'client_id'"
        )

    def _new_client(self) -> Client:
        settings = self._settings
        fifth = settings.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client,
            clean_session=None if fifth else False,
            protocol=MQTTv5 if fifth else MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = PATIENCE
        if settings.username is not None:
            client.username_pw_set(settings.username, self._password)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _connect(self, client: Client) -> None:
        settings = self._settings
        try:
            if settings.version == "5":
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
                properties.SessionExpiryInterval = SESSION_LASTS
                properties.MaximumPacketSize = LARGEST_MESSAGE
                client.connect(
                    settings.host, settings.port, settings.keepalive, clean_start=False, properties=properties
                )
            else:
                client.connect(settings.host, settings.port, settings.keepalive)
        except ssl.SSLCertVerificationError as error:
            raise BrokerError(
                f"cannot connect to {self._name}: its certificate is not accepted: {error.verify_message};"
                " check 'tls.ca', the host's name, and the clock"
            ) from error
        except ssl.SSLError as error:
            raise BrokerError(
                f"cannot connect to {self._name}: the TLS handshake failed: {error.reason or error};"
                " check the port and 'tls'"
            ) from error
        except (OSError, ValueError) as error:
            told = (
                (error.strerror if isinstance(error, OSError) else None) or str(error) or "no answer in time"
            )
            raise BrokerError(f"cannot connect to {self._name}: {told}; lpad-mqtt tries again") from error

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        del flags, properties
        if reason.is_failure:
            self._failure = (
                f"{self._name} refused the connection: {reason}; check 'username' and 'password_file'"
            )
            client.disconnect()
            return
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        log.info("connected to %s", self._name)
        self._up.set()
        self._owner.connected()

    def _on_subscribe(
        self, client: Client, _: object, mid: int, reasons: list[ReasonCode], properties: object
    ) -> None:
        del client, mid, properties
        for topic, reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                log.warning(
                    "%s refused the subscription to %s: %s; lpad-mqtt receives no commands on it",
                    self._name,
                    topic,
                    reason,
                )

    def _on_disconnect(
        self, client: Client, _: object, flags: DisconnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        del client, flags, properties
        self._up.clear()
        # paho may report the end a second time, then without the broker's reason
        if self._failure is None and reason.is_failure:
            self._failure = self._lost(str(reason))

    def _on_publish(
        self, client: Client, _: object, mid: int, reason: ReasonCode, properties: object
    ) -> None:
        del client, properties
        if reason.is_failure:
            self._refused[mid] = str(reason)

    def _on_message(self, client: Client, _: object, message: MQTTMessage) -> None:
        del client
        if len(message.payload) > LARGEST_MESSAGE:
            log.warning("ignored a message of %d bytes on %s", len(message.payload), message.topic)
            return
        try:
            self._owner.received(message.topic, bytes(message.payload), retained=message.retain)
        except Exception:
            log.exception("a message on %s: internal-error", message.topic)


def tls_context(settings: MqttSettings, resolve: Callable[[str], str]) -> ssl.SSLContext | None:
    """Return the TLS context; None without TLS. `resolve` returns the path of a file in the settings.

    Raises:
        BrokerError: a file cannot be used.
    """
    if not settings.encrypted:
        return None
    tls = settings.tls
    context = ssl.create_default_context()
    try:
        if tls.ca is not None:
            context = ssl.create_default_context(cafile=resolve(tls.ca))
        if tls.certificate is not None and tls.key is not None:
            context.load_cert_chain(resolve(tls.certificate), resolve(tls.key), password=_no_password)
    except (OSError, ValueError) as error:
        told = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise BrokerError(
            f"cannot use the files in 'tls': {told}; they must be in PEM form, the key without a password"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")
