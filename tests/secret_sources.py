"""The sources of the test suite's secrets, and hooks at the places where lpad could reveal secrets.

Before the first test, `listen` wraps functions of lpad and of its simulators for all tests.
"""

from __future__ import annotations

import base64
import logging
import re
import subprocess
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from lpad.api.handlers import metrics
from lpad.base.activation_code import ActivationCode
from lpad.base.errors import LpadError
from lpad.base.identifiers import Imei
from lpad.base.log.trace_level import TRACE, payloads_shown
from lpad.client import Client
from lpad.daemon.log.logging_format import RedactingFormatter
from lpad.engine.engine import Engine
from lpad.engine.events.cloud_event import Event, EventBody, Identifiers
from lpad.engine.webhooks.ed25519 import Ed25519Key
from lpad.engine.webhooks.signing_keys import HmacKey
from lpad.engine.worker.submissions import Submissions
from lpad.network.network_settings import NetworkSettings
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.profile_package import saip
from lpad.simulator.smdp.store.order import hash_of_code
from lpad.simulator.smdp.store.orders import Orders
from lpad.testing.simulated_gateway import Gateway
from secret_hunt import HUNT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from lpad.simulator.smdp.store.order import Order

    Secrets = Iterator[tuple[str, str]]

_IMEI = re.compile(r'"imei": *"([0-9]{14,16})"')


def listen() -> None:
    """From now on, teach the hunt each secret that is made up, and let it record all output."""
    for owner, name, secrets_of in _SOURCES:
        setattr(owner, name, _learning(getattr(owner, name), secrets_of))
    for owner, name in _REQUESTS:
        setattr(owner, name, _learning_first(getattr(owner, name)))
    for owner, name, said in _MOUTHS:
        setattr(owner, name, _hearing(getattr(owner, name), said))
    Engine.stop = _scraping(Engine.stop)  # type: ignore[method-assign]  # to search metrics
    logger = logging.getLogger("lpad")
    logger.addHandler(_Ear())
    logger.setLevel(TRACE)


class _Ear(logging.Handler):
    """A handler that records what lpad logs in the tests' own process."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(RedactingFormatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if not payloads_shown():
            HUNT.hear(self.format(record))


def _of_order(order: Order, _self: Orders, package: bytes, **details: Any) -> Secrets:
    yield "matching ID", order.matching_id
    yield from _of_confirmation_code(details.get("confirmation_code"))
    yield "ICCID", str(order.metadata.iccid)
    with suppress(LpadError):  # the order's package may be invalid
        saip.parse(package)


def _of_profile(profile: saip.UnprotectedProfile, *_: object) -> Secrets:
    yield "ICCID", str(profile.header_iccid)
    yield "IMSI", profile.imsi or ""


def _of_card(_none: None, card: SoftCard, *_: object, **_more: object) -> Secrets:
    yield "EID", str(card.eid)


def _of_modem(_none: None, _self: PtyModem, *_: object, **details: Any) -> Secrets:
    yield "IMEI", (details.get("personality") or ModemPersonality()).imei


def _of_imei(imei: Imei, *_: object) -> Secrets:
    yield "IMEI", str(imei)


def _of_request(
    *, activation_code: str | None = None, confirmation_code: str | None = None, **_: Any
) -> Secrets:
    with suppress(LpadError):
        yield "matching ID", ActivationCode.parse(activation_code or "").matching_id
    yield from _of_confirmation_code(confirmation_code)


def _of_network(_none: None, settings: NetworkSettings) -> Secrets:
    yield "network password", settings.password


def _of_hmac_key(_made: str, key: HmacKey, *_: object) -> Secrets:
    yield "webhook key", base64.b64encode(key.secret).decode()


def _of_ed25519_key(_none: None, _self: Ed25519Key, seed: bytes) -> Secrets:
    yield "webhook key", base64.b64encode(seed).decode()


def _of_settings(path: Path, *_: object) -> Secrets:
    for imei in _IMEI.findall(path.read_text(encoding="utf-8")):
        yield "IMEI", imei


def _of_confirmation_code(code: str | None) -> Secrets:
    if code:
        yield "confirmation code", code
        yield "hash of a confirmation code", hash_of_code(code)


def _sentence(_none: None, error: LpadError, *_: object, **_more: object) -> str:
    return error.sentence


def _event(body: EventBody, *_: object, **_more: object) -> str:
    """Return an event as an endpoint with redaction gets it, without whole identifiers."""
    event = Event(sequence=0, type="", droppable=False, body=body)
    return event.structured(Identifiers.REDACTED).decode()


def _scrape(told: bytes, *_: object) -> str:
    return told.decode()


def _log(_none: None, gateway: Gateway) -> str:
    settings = gateway._settings.get("log")
    redacts = not isinstance(settings, dict) or settings.get("redact") is not False
    return gateway.log if redacts and (gateway.folder / "log").exists() else ""


def _arguments(_none: None, _process: object, arguments: Any, *_: object, **_more: object) -> str:
    """Return the arguments of a process that lpad has started; "" for one that a test has started."""
    caller: FrameType | None = sys._getframe(2)
    while caller is not None and caller.f_globals.get("__name__") == "subprocess":
        caller = caller.f_back
    mine = caller is not None and str(caller.f_globals.get("__name__")).startswith("lpad.")
    return " ".join(map(str, arguments)) if mine and isinstance(arguments, list | tuple) else ""


_SOURCES: tuple[tuple[Any, str, Callable[..., Secrets]], ...] = (
    (Orders, "add_order", _of_order),
    (saip.ProfileStream, "finish", _of_profile),
    (SoftCard, "__init__", _of_card),
    (PtyModem, "__init__", _of_modem),
    (Imei, "parse", _of_imei),
    (Gateway, "write_settings", _of_settings),
    (NetworkSettings, "__post_init__", _of_network),
    (HmacKey, "signature", _of_hmac_key),
    (Ed25519Key, "__init__", _of_ed25519_key),
)
_REQUESTS: tuple[tuple[Any, str], ...] = (
    (Submissions, "submit"),
    (Client, "download"),
    (Client, "answer"),
)
_MOUTHS: tuple[tuple[Any, str, Callable[..., str]], ...] = (
    (LpadError, "__init__", _sentence),
    (metrics, "_text", _scrape),
    (Gateway, "stop", _log),
    (EventBody, "of", _event),
    (subprocess.Popen, "__init__", _arguments),
)


def _learning(function: Any, secrets_of: Callable[..., Secrets]) -> Any:
    @wraps(function)
    def call(*words: Any, **more: Any) -> Any:
        made = function(*words, **more)
        for what, secret in secrets_of(made, *words, **more):
            HUNT.learn(what, secret)
        return made

    return call


def _learning_first(function: Any) -> Any:
    """Return the function, wrapped so that the hunt learns the secrets in its arguments first."""

    @wraps(function)
    def call(*words: Any, **more: Any) -> Any:
        for what, secret in _of_request(**(more.get("secrets") or more)):
            HUNT.learn(what, secret)
        return function(*words, **more)

    return call


def _scraping(stop: Any) -> Any:
    """Return the function that stops an engine, wrapped so that it reads the metrics first."""

    @wraps(stop)
    def call(engine: Engine, **more: Any) -> Any:
        with suppress(LpadError):
            metrics._text(engine)
        return stop(engine, **more)

    return call


def _hearing(function: Any, said: Callable[..., str]) -> Any:
    @wraps(function)
    def call(*words: Any, **more: Any) -> Any:
        made = function(*words, **more)
        HUNT.hear(said(made, *words, **more))
        return made

    return call
