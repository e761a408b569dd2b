"""The fixtures for every test: certificates, a lab, and the public test data if the machine has it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

import secret_sources
from engine.lab import Lab
from lpad.simulator.pki.pki import Pki
from secret_hunt import HUNT
from slow_first import slow_first

if TYPE_CHECKING:
    from collections.abc import Iterator

# This lets the contract's failed assertions show their values, as in tests.
pytest.register_assert_rewrite("card.link_contract")

TEST_DATA = os.environ.get("LPAD_TEST_DATA")

# On a busy machine an example may take any time; the suite's own time limit stays.
hypothesis.settings.register_profile("lpad", deadline=None)
hypothesis.settings.load_profile("lpad")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A process that a shell starts in the background ignores Ctrl-C, as would all commands of the tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of tests, and start to listen for secrets in the log."""
    secret_sources.listen()
    config.addinivalue_line(
        "markers", "test_data: reads the folder named by LPAD_TEST_DATA; left out without it"
    )
    config.addinivalue_line(
        "markers", "programs(*names): runs these programs; left out if one is missing, except in CI"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need published data, or certain programs, if these are missing.

    A test of published data has a twin without it. In CI all programs are installed, or tests fail.
    In a parallel run, slow tests come first.
    """
    left_out = [
        item
        for item in items
        if (TEST_DATA is None and item.get_closest_marker("test_data")) or not _has_programs(item)
    ]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    if processes > 1:
        items[:] = slow_first(items, processes)


def _has_programs(item: pytest.Item) -> bool:
    wanted = [name for marker in item.iter_markers("programs") for name in marker.args]
    return os.environ.get("CI") == "true" or all(map(shutil.which, wanted))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder with published test data (SGP.26 PKI, TS.48 profiles, bound profile packages)."""
    assert TEST_DATA is not None, "mark the test with test_data"
    return Path(TEST_DATA)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Return certificates for all tests, which are made once because this takes a moment."""
    return Pki.open(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[Lab]:
    """Yield a lab for one test: a card, a server and an engine."""
    with Lab(tmp_path, pki) as made:
        yield made


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a secret in any log fail the run, and in CI also a skipped test."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # In a parallel run, each process sends its findings to the one that judges them.
        output["hunt"] = HUNT.report()
        return
    if HUNT.found():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a process of a parallel run has found; a crashed one has failed a test anyway."""
    report = getattr(node, "workeroutput", {}).get("hunt")
    if report is not None:
        HUNT.take(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the result of the hunt for secrets."""
    for line in HUNT.found():
        terminalreporter.write_line(f"SECRET LOGGED: {line}", red=True)
    terminalreporter.write_line(HUNT.summary)
