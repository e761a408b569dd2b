"""What names the subscriber, or is worth money, taken out of text that people read."""

from __future__ import annotations

import re

_SERIAL_NUMBER = re.compile(r"(?=[A-Fa-f]*\d)[0-9A-Fa-f]{8,}")

_IDENTIFIER = re.compile(r"(?<![0-9A-Za-z])[0-9]{11,28}([0-9]{4})[Ff]?(?![0-9A-Za-z])")
_ACTIVATION_CODE = re.compile(r"(?<![0-9A-Za-z])((?:LPA:)?1\$[A-Za-z0-9.:-]*\$)[A-Za-z0-9$.-]*")


def redacted(text: str) -> str:
    """Return a text in which numbers of 15 to 32 digits keep their last four, and codes their address."""
    return _IDENTIFIER.sub(r"…\1", _ACTIVATION_CODE.sub(r"\1…", text))


def mask(text: str) -> str:
    """Return a text without the long numbers in it: names of ports and readers hold serial numbers."""
    return _SERIAL_NUMBER.sub(lambda found: f"…{found[0][-2:]}", text)
