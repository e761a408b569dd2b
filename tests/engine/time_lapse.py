"""A monotonic clock that a test moves ahead, so that deadlines pass without real waiting."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest import mock

from lpad.engine.switch import standstill_detection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def time_lapse() -> Iterator[Callable[[float], None]]:
    """Yield a function that lets seconds pass on the monotonic clock, for lpad and for the simulators.

    Enter this context before a lab, and leave it after the lab. lpad sees no standstill.
    """
    real = time.monotonic
    ahead = 0.0

    def shifted() -> float:
        return real() + ahead

    def pass_by(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    with (
        mock.patch.object(standstill_detection, "time", SimpleNamespace(monotonic=real)),
        mock.patch.object(time, "monotonic", shifted),
    ):
        yield pass_by
