"""Fixtures for script/system-test, which makes the Debian's root folder and the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from system.gateway import Gateway

ROOT = os.environ.get("LPAD_SYSTEM_ROOT")
PACKAGE = os.environ.get("LPAD_SYSTEM_DEB")

collect_ignore_glob = [] if ROOT and PACKAGE else ["test_*.py"]

_RELEASE = "VERSION_CODENAME="
_booted: list[Gateway] = []


@pytest.fixture(scope="session")
def package() -> Path:
    """The file of the package under test."""
    assert PACKAGE is not None
    return Path(PACKAGE)


@pytest.fixture(scope="session")
def release() -> str:
    """The code name of the container's Debian release, such as "trixie"."""
    assert ROOT is not None
    text = (Path(ROOT) / "etc/os-release").read_text(encoding="utf-8")
    (name,) = (line.removeprefix(_RELEASE) for line in text.splitlines() if line.startswith(_RELEASE))
    return name


@pytest.fixture(scope="module")
def bare() -> Iterator[Gateway]:
    """A booted container with Debian and without lpad."""
    from system.gateway import Gateway  # noqa: PLC0415 - not when the tests are left out

    assert ROOT is not None
    with Gateway(Path(ROOT)) as booted:
        _booted.append(booted)
        yield booted
        _booted.remove(booted)


@pytest.fixture(scope="module")
def gateway(bare: Gateway, package: Path) -> Gateway:
    """A booted container in which lpad is installed and uses a simulated card."""
    bare.install(package)
    bare.set_up()
    return bare


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journal of each booted container to the report of a failed test."""
    report = yield
    if call.excinfo is not None:
        for booted in _booted:
            report.sections.append(("the container's journal", booted.journal("--lines=150")))
    return report
