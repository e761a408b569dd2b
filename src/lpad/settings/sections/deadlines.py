"""`deadlines`: time limits for changes and requests."""

from __future__ import annotations

from lpad.settings.parsing.bounded_types import Seconds
from lpad.settings.parsing.section_base import Section


class DeadlinesSection(Section, frozen=True):
    """Time limits for the steps of a change and for requests to servers, in seconds."""

    open: Seconds = 30
    read: Seconds = 60
    switch: Seconds = 120
    download: Seconds = 900
    delivery: Seconds = 60
    request: Seconds = 300
    silence: Seconds = 45
    absence: Seconds = 24 * 3600
