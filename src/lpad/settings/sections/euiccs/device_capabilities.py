"""Device capabilities in the settings: a 3GPP release for each radio."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue
from lpad.base.untrusted_number import whole_number
from lpad.codec.messages.authentication import DeviceCapabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.settings.parsing.mistakes import Report

CAPABILITIES = DeviceCapabilities.__struct_fields__


def device_capabilities(releases: Mapping[str, str | float]) -> DeviceCapabilities:
    """Return the device capabilities in the form of SGP.22: a VersionType of 3 bytes for each name."""
    return DeviceCapabilities(**{name: version_bytes(release) for name, release in releases.items()})


def version_bytes(release: str | float) -> bytes:
    """Return the 3 bytes of a VersionType from `15`, `15.2` or `15.2.0`.

    Raises:
        InvalidValue: the release is not one to three numbers of at most 255.
    """
    numbers = [whole_number(part, most=255) for part in str(release).split(".")]
    known = [number for number in numbers if number is not None]
    if len(numbers) > 3 or len(known) < len(numbers):
        raise InvalidValue("a release must be a number such as 15, or 15.2.0")
    return bytes([*known, 0, 0])[:3]


def check_capabilities(releases: Mapping[str, str | float], report: Report) -> None:
    """Report unknown radios and invalid releases."""
    for name, release in releases.items():
        if name in CAPABILITIES:
            report.parsed(version_bytes, release, name)
        else:
            match = difflib.get_close_matches(name, CAPABILITIES, n=1)
            meant = (
                f"did you mean '{match[0]}'?" if match else (f"the known ones are {', '.join(CAPABILITIES)}")
            )
            report.wrong(f"there is no such capability; {meant}", name)
