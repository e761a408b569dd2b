"""A hunt for secrets through all that the whole suite has ever logged.

Every order and card that a test makes up is a source of secrets; every line that lpad logs in the tests' own
process, in debug and above, and every line that a daemon of theirs has written, is prey. Lines are kept by
the words in them that could be secrets, so that the hunt costs little.
"""

from __future__ import annotations

import logging
import os
import re
from functools import wraps
from typing import TYPE_CHECKING, Any

from lpad.identifiers import swap_nibbles
from lpad.logging_format import RedactingFormatter
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.smdp.orders import Orders
from lpad.testing.gateway import Gateway
from lpad.tracing import payloads_shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.smdp.order import Order

_WORD = re.compile(r"[0-9A-Za-z-]{6,}")
_SHORTEST = 8
"""Characters of a made-up code that can't stand in a line for any other reason."""
_WORDS = frozenset({"DECLINED", "confirmed"})


class Hunt:
    """What is sought, and the words that were logged."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self._logged: dict[str, tuple[str, str]] = {}
        self._lines = 0

    def begin(self) -> None:
        """Listen from now on, and learn of each secret as it is made up."""
        Orders.add_order = _learning(Orders.add_order, _of_order, self)  # type: ignore[method-assign]  # the hunt's ear
        SoftCard.__init__ = _learning(SoftCard.__init__, _of_card, self)  # type: ignore[method-assign]  # likewise
        Gateway.stop = _hearing(Gateway.stop, self)  # type: ignore[method-assign]  # likewise
        handler = _Ear(self)
        handler.setFormatter(RedactingFormatter("%(message)s"))
        logger = logging.getLogger("lpad")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)

    def learn(self, what: str, secret: str) -> None:
        """Seek a secret from now on, also in what was logged before."""
        if len(secret) >= _SHORTEST and secret not in _WORDS:
            for spelling in _spellings(secret):
                self.secrets[spelling] = what

    def hear(self, text: str) -> None:
        """Take a log."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        for line in text.splitlines():
            self._lines += 1
            for word in _WORD.findall(line):
                self._logged.setdefault(word, (test, line))

    def found(self) -> list[str]:
        """Return a line for each secret that was logged."""
        return [
            f"{what} in {self._logged[secret][0]}: {self._logged[secret][1]}"
            for secret, what in self.secrets.items()
            if secret in self._logged
        ]

    @property
    def summary(self) -> str:
        """What was sought where."""
        return f"hunt for secrets: {len(self.secrets)} spellings in {self._lines} lines of log"


class _Ear(logging.Handler):
    """Hears what lpad logs in the tests' own process."""

    def __init__(self, hunt: Hunt) -> None:
        super().__init__()
        self._hunt = hunt

    def emit(self, record: logging.LogRecord) -> None:
        if not payloads_shown():
            self._hunt.hear(self.format(record))


def _spellings(secret: str) -> Iterator[str]:
    """How a secret stands in a log as a word of its own."""
    yield secret
    if secret.isdecimal():
        padded = bytes.fromhex(secret + "F" * (len(secret) % 2))
        for form in (padded, swap_nibbles(padded)):
            yield from (form.hex(), form.hex().upper())
    yield from (secret.encode().hex(), secret.encode().hex().upper())


def _of_order(order: Order, _self: Orders, _package: bytes, **details: Any) -> Iterator[tuple[str, str]]:
    yield "matching ID", order.matching_id
    yield "confirmation code", str(details.get("confirmation_code") or "")
    yield "ICCID", str(order.metadata.iccid)


def _of_card(_none: None, card: SoftCard, *_: object, **_more: object) -> Iterator[tuple[str, str]]:
    yield "EID", str(card.eid)


def _hearing(stop: Any, hunt: Hunt) -> Any:
    @wraps(stop)
    def call(gateway: Gateway) -> None:
        stop(gateway)
        log = gateway._settings.get("log")
        if (gateway.folder / "log").exists() and not (isinstance(log, dict) and log.get("redact") is False):
            hunt.hear(gateway.log)

    return call


def _learning(function: Any, secrets_of: Any, hunt: Hunt) -> Any:
    @wraps(function)
    def call(*words: Any, **more: Any) -> Any:
        made = function(*words, **more)
        for what, secret in secrets_of(made, *words, **more):
            hunt.learn(what, secret)
        return made

    return call


HUNT = Hunt()
