"""A clock that a test moves ahead: a wait for a time that has then passed ends at its next check."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest import mock

from lpad.engine.switch import standstill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def time_lapse() -> Iterator[Callable[[float], None]]:
    """Yield what lets seconds pass on the monotonic clock, for lpad and for the simulators.

    Enter it before a lab: the lab must have ended when the clock is set right. To lpad this is not a
    standstill.
    """
    real = time.monotonic
    ahead = 0.0

    def shifted() -> float:
        return real() + ahead

    def pass_by(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    with (
        mock.patch.object(standstill, "time", SimpleNamespace(monotonic=real)),
        mock.patch.object(time, "monotonic", shifted),
    ):
        yield pass_by
