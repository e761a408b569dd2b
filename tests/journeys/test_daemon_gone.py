"""The output of lpactl if the daemon ends while lpactl listens."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import PATIENCE, Gateway
from lpad.cli.terminal import exit_codes

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("end", [Gateway.stop, Gateway.kill], ids=["stopped", "killed"])
def test_a_change_that_was_followed(
    own_gateway: Gateway, profile: Callable[[], bytes], end: Callable[[Gateway], None]
) -> None:
    """If the daemon ends, lpactl says that lpad reports the followed change once it runs again."""
    done = lpactl(own_gateway, end, "download", own_gateway.order(profile()), "--confirm", until="consent")
    assert "once lpad runs again, it reports the outcome of change 1 (daemon-unreachable)" in done
    assert "Error(" not in done


@pytest.mark.parametrize("end", [Gateway.stop, Gateway.kill], ids=["stopped", "killed"])
def test_a_listener_is_informed_that_the_daemon_has_ended(
    own_gateway: Gateway, end: Callable[[Gateway], None]
) -> None:
    """If the daemon ends, `lpactl events` ends with an error of the kind daemon-unreachable."""
    done = lpactl(own_gateway, end, "events", until="listening")
    assert "(daemon-unreachable)" in done
    assert "Error(" not in done


def lpactl(gateway: Gateway, end: Callable[[Gateway], None], *arguments: str, until: str) -> str:
    """Run lpactl until it prints a line with `until`, end the daemon, and return lpactl's further output."""
    command = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(gateway.socket), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if until in line)
        end(gateway)
        told = process.stdout.read()
        assert process.wait(PATIENCE) == exit_codes.DAEMON, told
    return told
