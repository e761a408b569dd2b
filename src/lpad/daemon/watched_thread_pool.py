"""The watched threads in which the API waits for the disk, so that a stuck thread is noticed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from lpad.base.liveness import watched

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")


class WatchedPool(ThreadPoolExecutor):
    """The event loop's default executor, whose tasks have deadlines or must be short."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run a function in a thread of the pool, and return its future."""
        return super().submit(_watched, partial(fn, *args, **kwargs))


def _watched(act: Callable[[], _T]) -> _T:
    with watched("a thread that serves requests"):
        return act()
