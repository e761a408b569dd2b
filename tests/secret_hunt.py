"""A hunt for secrets in everything that the whole test suite has logged.

Every order, card, modem and request that a test makes up is a source of secrets (`secret_sources`). The
hunt searches every line that lpad logs in the tests' own process, traces included, and every line that a
daemon of the tests writes. It also searches the sentence of every error, metrics, and the arguments of
processes that lpad starts. To save memory, the hunt keeps only words that could contain secrets.
"""

from __future__ import annotations

import base64
import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from lpad.base.identifiers import swap_nibbles

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD = re.compile(r"[0-9A-Za-z-]{6,}")
_RUN = re.compile(r"[0-9A-Za-z+/=_-]{12,}")
"""A run of characters of hexadecimal digits, base64 or paths."""
_SHORTEST = 8
"""Characters of a made-up code that cannot be in a line for any other reason."""
_SHORTEST_HEX = 14
"""The same length for digits inside a longer word, such as an APDU, of which there are millions."""
_HEX = re.compile(r"[0-9A-Fa-f]*")
_VARIOUS = 4
"""The minimum number of different characters of a secret, because made-up garbage may be all zeros."""
_DAMAGED = "tests/fuzz/"
"""The tests that join random text to identifiers: in their lines, only whole words are compared."""
_NO_SECRETS = frozenset({"DECLINED", "confirmed"})


class Hunt:
    """The searched secrets, and the recorded words."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self._kinds: dict[str, set[str]] = {}
        self._heard: dict[str, tuple[str, str]] = {}
        self._lines = 0
        self._others: list[dict[str, Any]] = []

    def learn(self, what: str, secret: str) -> None:
        """Add a secret to the searched ones; it is also found in words that were recorded earlier."""
        if _telling(secret) and secret not in _NO_SECRETS and secret not in self.secrets:
            self._kinds.setdefault(what, set()).add(secret)
            self.secrets |= dict.fromkeys(filter(_telling, spellings(secret)), what)

    def hear(self, text: str) -> None:
        """Record the words of a text, such as a log."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        for line in text.splitlines():
            self._lines += 1
            for pattern in (_WORD, _RUN):
                for word in pattern.findall(line):
                    self._heard.setdefault(word, (test, line))

    def found(self) -> list[str]:
        """Return a text with kind, test and line for each recorded word that contains a secret."""
        beginnings: dict[str, list[str]] = {}
        for secret in self.secrets:
            if len(secret) >= _SHORTEST_HEX or not _HEX.fullmatch(secret):
                beginnings.setdefault(secret[:_SHORTEST], []).append(secret)
        return [
            f"{what} in {test}: {line}"
            for word, (test, line) in self._heard.items()
            if (what := self._held_by(word, {} if test.startswith(_DAMAGED) else beginnings)) is not None
        ] + [line for other in self._others for line in other["found"]]

    def report(self) -> dict[str, Any]:
        """Return the outcome of a process's hunt, for the process that runs the whole suite."""
        kinds = {what: len(those) for what, those in self._kinds.items()}
        return {"found": self.found(), "kinds": kinds, "lines": self._lines}

    def take(self, report: dict[str, Any]) -> None:
        """Add the outcome of another process's hunt."""
        self._others.append(report)

    def has_heard(self, word: str) -> bool:
        """Return whether a word was recorded."""
        return word in self._heard

    @property
    def summary(self) -> str:
        """The numbers of secrets by kind, and of searched lines, as a text."""
        sought = Counter({what: len(those) for what, those in self._kinds.items()})
        for other in self._others:
            sought.update(other["kinds"])
        lines = self._lines + sum(other["lines"] for other in self._others)
        kinds = ", ".join(f"{what} {count}" for what, count in sorted(sought.items()))
        return f"hunt for secrets: {kinds or 'none'}, in {lines} lines"

    def _held_by(self, word: str, beginnings: dict[str, list[str]]) -> str | None:
        """Return the kind of a secret that a word is or contains, or None."""
        if word in self.secrets:
            return self.secrets[word]
        for at in range(len(word) - _SHORTEST + 1):
            for secret in beginnings.get(word[at : at + _SHORTEST], ()):
                if word.startswith(secret, at):
                    return self.secrets[secret]
        return None


def spellings(secret: str) -> Iterator[str]:
    """Yield the forms that a secret may have in a log: text, hex and base64, and for digits also BCD.

    An ICCID's digits may be hexadecimal.
    """
    yield secret
    forms = [secret.encode()]
    if _HEX.fullmatch(secret):
        yield secret.lower()
        odd = len(secret) % 2
        whole = bytes.fromhex(secret + "F" * odd)
        forms += [whole, swap_nibbles(whole)]
        if odd:
            # An IMSI begins with its parity; an IMEI ends with a check digit that is not swapped, or with 0.
            forms.append(swap_nibbles(bytes.fromhex("9" + secret)))
            forms.append(swap_nibbles(whole)[:-1] + whole[-1:])
            forms.append(swap_nibbles(bytes.fromhex(secret + "0")))
    for form in forms:
        yield from (form.hex(), form.hex().upper())
        # Base64 inside a longer text has three alignments; only the constant part of each is yielded.
        for before in range(3):
            text = base64.b64encode(bytes(before) + form).decode()
            yield text[-(-8 * before // 6) : 8 * (before + len(form)) // 6]


def _telling(spelling: str) -> bool:
    """Return whether a text is too long and varied to be in a line by chance."""
    return len(spelling) >= _SHORTEST and len(set(spelling)) >= _VARIOUS


HUNT = Hunt()
