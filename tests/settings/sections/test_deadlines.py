"""The setting `deadlines`."""

from __future__ import annotations

from lpad.remote.https.request_limits import Limits
from lpad.settings import Settings


def test_a_silent_server_costs_less_than_a_minute() -> None:
    """By default, a request ends after 45 s of silence, or after 5 minutes, earlier than a download."""
    by_default = Settings().deadlines
    assert (by_default.silence, by_default.request) == (45, 300)
    assert Limits(silence=by_default.silence, request=by_default.request) == Limits()
    assert by_default.request < by_default.download
