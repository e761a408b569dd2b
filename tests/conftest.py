"""What every test may use: the public test data, where the machine has it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TEST_DATA = os.environ.get("LPAD_TEST_DATA")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of tests that read published test data."""
    config.addinivalue_line(
        "markers", "test_data: reads the folder named by LPAD_TEST_DATA; left out without it"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs published data when there is none; each such test has a twin without it."""
    if TEST_DATA is not None:
        return
    left_out = [item for item in items if item.get_closest_marker("test_data")]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with published test data (SGP.26 PKI, TS.48 profiles, bound profile packages)."""
    assert TEST_DATA is not None, "mark the test with test_data"
    return Path(TEST_DATA)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI everything runs: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
