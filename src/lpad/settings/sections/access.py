"""`access`: the roles of users and groups."""

from __future__ import annotations

from typing import Annotated

import msgspec

from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 2)]


class WhoSection(Section, frozen=True):
    """Users and groups, by name or number."""

    users: list[Text | Number] = []
    groups: list[Text | Number] = []


class AccessSection(Section, frozen=True):
    """The holders of each role; root and the daemon's own user always have all roles."""

    read: WhoSection = WhoSection(groups=["lpad", "lpad-read"])
    switch: WhoSection = WhoSection(groups=["lpad"])
    install: WhoSection = WhoSection(groups=["lpad"])
    admin: WhoSection = WhoSection(groups=["lpad"])
