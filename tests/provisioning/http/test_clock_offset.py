"""The offset of a platform's clock, which lpad uses for signatures."""

from __future__ import annotations

import logging
from email.utils import formatdate

import pytest

from lpad.provisioning.http.clock_offset import ClockOffset


def test_an_offset_is_learnt_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """If a platform's Date differs, lpad uses the platform's time, and warns once."""
    caplog.set_level(logging.WARNING)
    offset = ClockOffset("mine", wall=lambda: 1000.0)
    assert offset.now() == 1000.0
    assert offset.learn(formatdate(87_400.0, usegmt=True))
    assert offset.now() == 87_400.0
    assert not offset.learn(formatdate(87_401.0, usegmt=True))
    (told,) = caplog.records
    assert told.getMessage() == (
        "this device's clock is 86400 seconds behind that of the platform 'mine'; lpad signs with the"
        " platform's time and does not set the clock"
    )


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Foo 9999 99:99:99 GMT", "\x00" * 10_000])
def test_an_invalid_date_changes_nothing(date: str | None) -> None:
    """A missing or invalid Date does not change the offset."""
    offset = ClockOffset("mine", wall=lambda: 1000.0)
    assert not offset.learn(date)
    assert offset.seconds == 0.0
