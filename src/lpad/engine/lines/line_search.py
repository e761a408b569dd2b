"""The search for the platform that has the line of an installed profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import LpadError
from lpad.provisioning.platform_interface import LineAction

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.engine.lines.platform_line_report import LineRecord
    from lpad.engine.provisioning.platforms import NamedPlatform, Platforms
    from lpad.provisioning.platform_interface import Reservation


def platforms_with_lines(platforms: Platforms) -> list[NamedPlatform]:
    """Return the platforms that can report the lines of installed profiles, in the order of the settings."""
    found = (platforms.get(name) for name in platforms.names)
    return [each for each in found if each is not None and LineAction.SHOW in each.can.lines]


def find_line(
    iccid: str, platforms: Platforms, *, known: LineRecord | None, deadline: Callable[[], Deadline]
) -> tuple[NamedPlatform, Reservation] | None:
    """Ask the platforms for the line of a profile, first the platform that last had the line.

    Args:
        iccid: the profile's ICCID, 1 to 20 digits.
        platforms: the platforms of the settings.
        known: the last report.
        deadline: returns the time limit of one conversation.

    Returns:
        The platform and its report; None: no platform knows the line.

    Raises:
        LpadError: a platform could not be asked, and no other platform knows the line.
        Cancelled: the search was cancelled.
    """
    before = known.platform if known is not None else ""
    failure: LpadError | None = None
    for each in sorted(platforms_with_lines(platforms), key=lambda each: each.name != before):
        try:
            with each.opened() as platform:
                seen = platform.line_of(iccid, deadline=deadline())
        except LpadError as error:
            deadline().check()  # the caller, or the end of lpad, ended the search
            failure = failure or error
            if each.name == before:
                # The platform that last had the line does not answer, and no other platform has this line.
                break
            continue
        if seen is not None:
            return each, seen
    if failure is not None:
        raise failure
    return None
