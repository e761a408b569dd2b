"""If the journal is on a read-only file system, `lpactl status` and `lpactl doctor` report this."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from cli.conftest import Finished, run
from lpad.cli.terminal import exit_codes
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.testing.daemon_process import DaemonProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

READ_ONLY = 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"'


@pytest.fixture
def lpactl(tmp_path: Path, pki: Pki) -> Iterator[Callable[..., Finished]]:
    """Yield a function that runs lpactl against a daemon whose state folder has become read-only."""
    settings = tmp_path / "lpad.yaml"
    settings.write_text(
        f"socket: {tmp_path}/lpad.sock\nstate_folder: {tmp_path}/state\n"
        f"euiccs: {{modem: {{port: {tmp_path}/modem}}}}\n",
        encoding="utf-8",
    )
    with SoftCard(tmp_path / "card", pki=pki) as card, PtyModem(card, path=tmp_path / "modem"):
        first = DaemonProcess(settings)
        first.start()
        first.stop()
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        state = str(tmp_path / "state")
        daemon = DaemonProcess(
            settings, launcher=["unshare", "--mount", *user, "sh", "-ec", READ_ONLY, state]
        )
        daemon.start()
        program = [sys.executable, "-m", "lpad.cli.lpactl", "--socket", str(tmp_path / "lpad.sock")]
        try:
            yield lambda *arguments: run([*program, *arguments])
        finally:
            daemon.stop()


def test_a_read_only_journal_is_shown(lpactl: Callable[..., Finished], tmp_path: Path) -> None:
    """Status and doctor report the read-only journal with the remedy, and a change is refused."""
    status = lpactl("status").ok()
    assert "modem" in status.out
    assert "journal: read-only: " in status.err
    assert "(journal-unavailable); 'lpactl doctor' examines it" in status.err
    doctor = lpactl("doctor", "--config", str(tmp_path / "lpad.yaml"))
    assert doctor.code == exit_codes.STATE
    assert "wrong   journal: read-only" in doctor.out
    assert "file system is" in doctor.out
    refused = lpactl("notifications", "deliver")
    assert refused.code == exit_codes.STATE
    assert "(journal-unavailable)" in refused.err
    assert lpactl("changes").ok().err == "there are no changes yet\n"
