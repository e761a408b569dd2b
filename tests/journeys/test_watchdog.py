"""The watchdog gets signs of life while lpad makes progress, and none while a thread is stuck."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.managed_daemon import Managed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WATCHDOG = 2.0

HANGING = """
import os

opening = os.open


def hanging(path, *more, **rest):
    if os.path.exists(os.path.join(os.environ["HANGING"], os.path.basename(os.fsdecode(path)))):
        os.read(os.pipe()[0], 1)  # blocks, because nothing is written into the pipe
    return opening(path, *more, **rest)


os.open = hanging
"""
"""A module that makes os.open hang for files named in a folder, as on a failing memory card."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway(settings={"deadlines": {"open": 1, "read": 1}})
    gateway.start = lambda: None  # type: ignore[method-assign]  # a manager starts it
    with gateway:
        yield gateway


class FailingMemoryCard:
    """A list of files at whose opening the daemon hangs, as on a failing memory card."""

    def __init__(self, folder: Path) -> None:
        self._names = folder / "names"
        self._names.mkdir()
        (folder / "sitecustomize.py").write_text(HANGING, encoding="ascii")
        self.environment = {"PYTHONPATH": str(folder), "HANGING": str(self._names)}

    def hang(self, path: Path) -> None:
        (self._names / path.name).touch()


@pytest.fixture
def memory_card(tmp_path: Path) -> FailingMemoryCard:
    return FailingMemoryCard(tmp_path)


def test_an_idle_daemon_is_healthy(gateway: Gateway) -> None:
    """While lpad is idle, the watchdog continues to get signs of life."""
    with Managed(gateway, watchdog=WATCHDOG) as managed:
        gateway.ready()
        for _ in range(4):
            managed.until("WATCHDOG")


def test_waiting_for_an_answer_is_progress(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """While a change waits for its caller, the watchdog continues to get signs of life."""
    with Managed(gateway, watchdog=WATCHDOG) as managed:
        gateway.ready()
        change = gateway.client.download(
            CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
        )
        for _ in range(5):
            managed.until("WATCHDOG")
        gateway.client.cancel(change.id)


def test_a_stuck_worker_starves_the_watchdog(gateway: Gateway, memory_card: FailingMemoryCard) -> None:
    """If a worker hangs without a deadline, the signs of life stop, and the log names the worker."""
    with Managed(gateway):
        gateway.ready()
    for known in (gateway.folder / "state" / "links").iterdir():
        memory_card.hang(known)
    with Managed(gateway, watchdog=WATCHDOG, environment=memory_card.environment) as managed:
        gateway.until(lambda: "is stuck in" in gateway.log)
        assert managed.silent(2 * WATCHDOG)
        assert f"the worker of {CARD} is stuck in" in gateway.log
        # Meanwhile, callers still get answers.
        assert gateway.client.system().version
        managed.process.send_signal(signal.SIGABRT)  # as systemd does
        assert managed.process.wait(PATIENCE) == -signal.SIGABRT


def test_a_stuck_thread_behind_the_api_starves_the_watchdog(
    gateway: Gateway, memory_card: FailingMemoryCard
) -> None:
    """If a thread that serves requests is stuck, the signs of life stop, and the log names the function."""
    with Managed(gateway, watchdog=WATCHDOG, environment=memory_card.environment) as managed:
        gateway.ready()
        managed.until("WATCHDOG")
        memory_card.hang(gateway.folder / "lpad.yaml")
        managed.process.send_signal(signal.SIGHUP)
        gateway.until(lambda: "a thread that serves requests is stuck in open_regular" in gateway.log)
        assert managed.silent(2 * WATCHDOG)
        managed.process.send_signal(signal.SIGABRT)
        assert managed.process.wait(PATIENCE) == -signal.SIGABRT


def test_a_stopped_process_feeds_nothing(gateway: Gateway) -> None:
    """While the process is stopped, the watchdog gets no signs of life; later it gets them again."""
    with Managed(gateway, watchdog=WATCHDOG) as managed:
        gateway.ready()
        managed.until("WATCHDOG")
        managed.process.send_signal(signal.SIGSTOP)
        assert managed.silent(2 * WATCHDOG)
        managed.process.send_signal(signal.SIGCONT)
        managed.until("WATCHDOG")
