"""A gateway's log: by default it contains no codes and no identifiers."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys

import pytest

from daemon.log.test_journald import Journal
from journeys.gateway import CARD, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from secret_hunt import spellings

MATCHING_ID = "KQ7-TRACED-MATCHING-ID"
CONFIRMATION_CODE = "vErY-53cret"
ICCIDS = ("89440000000000770016", "89440000000000770024")
IMSI = "001010987654321"
IMEI = "490154203237518"


def life(gateway: Gateway) -> tuple[str, str]:
    """Download and enable two profiles, cause two failures, and return the two activation codes."""
    client = gateway.client
    codes = []
    for iccid, more in zip(
        ICCIDS, ({"matching_id": MATCHING_ID, "confirmation_code": CONFIRMATION_CODE}, {}), strict=True
    ):
        code = gateway.order(made_up_profile(Iccid.parse(iccid), imsi=IMSI, size=3000), **more)
        codes.append(code)
        typed = {"confirmation_code": CONFIRMATION_CODE} if more else {}
        gateway.download(code, **typed).check()
        client.enable(CARD, iccid, wait=10).check()
    # Failures follow, because errors are most likely to reveal identifiers.
    client.download(CARD, activation_code=codes[1], wait=10)
    client.delete(CARD, ICCIDS[1], wait=10)
    gateway.until(lambda: not gateway.card.notifications)
    return codes[0], codes[1]


def found_in(log: str, secrets: dict[str, str]) -> list[str]:
    lowered, log = log.lower(), log.replace("\\/", "/")
    return [
        f"{name} as {spelling}"
        for name, secret in secrets.items()
        for spelling in spellings(secret)
        if len(spelling) >= 6 and (spelling in log or spelling.lower() in lowered)
    ]


def metrics_of(gateway: Gateway) -> str:
    """Return the text of the gateway's metrics, as Prometheus would get it."""
    asked = ["curl", "-sS", "--fail", "--unix-socket", str(gateway.socket), "http://lpad/v1/metrics"]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert "lpad_" in told
    return told


def secrets_of(gateway: Gateway, codes: tuple[str, str]) -> dict[str, str]:
    (transaction, *_) = [each.split("$")[2] for each in codes]
    assert transaction == MATCHING_ID
    hashed = hashlib.sha256(CONFIRMATION_CODE.encode()).hexdigest()
    return {
        "activation code": codes[0],
        "the other activation code": codes[1],
        "matching ID": MATCHING_ID,
        "the other matching ID": codes[1].split("$")[2],
        "confirmation code": CONFIRMATION_CODE,
        "confirmation code's hash": hashed,
        "EID": str(gateway.card.eid),
        "ICCID": ICCIDS[0],
        "the other ICCID": ICCIDS[1],
        "IMSI": IMSI,
        "IMEI": IMEI,
    }


@pytest.mark.parametrize("level", ["debug", "trace"])
def test_no_secret_is_logged(level: str) -> None:
    """Even at debug and trace, the log contains no codes and no identifiers after changes and failures."""
    with Gateway(settings={"log": level}) as gateway:
        gateway.ready()
        secrets = secrets_of(gateway, life(gateway))
        assert found_in(gateway.log, secrets) == []
        assert found_in(metrics_of(gateway), secrets) == []
        assert ("TRACE lpad.card.apdu" in gateway.log) is (level == "trace")
        assert ("TRACE lpad.remote.http" in gateway.log) is (level == "trace")
        if level == "trace":
            assert re.search(
                r"> POST /gsma/rsp2/es9plus/authenticateClient .*\"transactionId\": \"\[", gateway.log
            )
            assert '"status": "Executed-Success"' in gateway.log


def test_payloads_are_logged_on_request() -> None:
    """With `redact: false` the log has identifiers and matching ID, but no confirmation code."""
    with Gateway(settings={"log": {"level": "trace", "redact": False}}) as gateway:
        gateway.ready()
        secrets = secrets_of(gateway, life(gateway))
        found = {each.partition(" as ")[0] for each in found_in(gateway.log, secrets)}
        assert {"matching ID", "EID", "ICCID", "the other ICCID"} <= found
        assert not {"confirmation code"} & found  # The confirmation code leaves lpad only as a hash.
        longest = max(len(line) for line in gateway.log.splitlines() if "lpad.remote.http" in line)
        assert longest < 8000, "a line has a whole certificate or package"


def test_one_line_an_event() -> None:
    """By default, the log has a few lines for two profiles: two per change, one per delivery."""
    with Gateway() as gateway:
        gateway.ready()
        life(gateway)
        gateway.stop()
        lines = [line.partition(" lpad.")[2] for line in gateway.log.splitlines()]
        told = [line for line in lines if not line.startswith("api.app: ")]
        assert len(told) == len(set(told)), "two log lines are equal"
        assert sum("delivered" in line for line in told) == 7
        for number in range(1, 7):
            of_change = [line for line in told if f"change {number} (" in line]
            assert len(of_change) == 2, "a change has not two log lines, for its beginning and its end"
        asked = sum(map(times, (line for line in lines if line.startswith("api.app: "))))
        assert asked == 6, "a request that changes something is not in the log"
        assert len(told) <= 2 * 6 + 7 + 6
        assert "Traceback" not in gateway.log


def times(line: str) -> int:
    """Return the number of events that a log line stands for: 1, or the count of repetitions in it."""
    count = re.search(r" \((once|\d+ times) more within a minute\)$", line)
    return 1 if count is None else int(count[1].replace("once", "1").split()[0])


IN_THE_JOURNAL = """
import pathlib, sys
from lpad.daemon.log import journald
journald.SOCKET = pathlib.Path(sys.argv.pop(1))
from lpad.cli.lpad import main
main()
"""


def test_a_daemon_of_the_service_manager_logs_to_the_journal() -> None:
    """If the daemon's standard error is the system journal, it sends journal entries with fields."""
    gateway = Gateway()
    gateway.start = lambda: None  # type: ignore[method-assign]  # this test starts the daemon
    with gateway:
        journal = Journal(gateway.folder / "journal")
        with (gateway.folder / "log").open("wb") as log:
            there = os.fstat(log.fileno())
            process = subprocess.Popen(
                [
                    sys.executable, "-c", IN_THE_JOURNAL, str(journal.path),
                    "serve", "--config", str(gateway.write_settings()),
                ],
                stderr=log,
                env=os.environ | {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"},
            )  # fmt: skip
        try:
            entries = [journal.entry()]
            while "listens on" not in entries[-1]["MESSAGE"]:
                entries.append(journal.entry())
            change = gateway.client.download(CARD, activation_code="LPA:1$smdp.invalid$SECRET-ID", wait=10)
            while "failed" not in entries[-1]["MESSAGE"]:
                entries.append(journal.entry())
        finally:
            gateway.client.close()
            process.terminate()
            process.wait(20)
            journal.socket.close()
    last = entries[-1]
    assert (last["EUICC"], last["CHANGE_ID"], last["CHANGE_KIND"]) == (CARD, str(change.id), "download")
    assert (last["KIND"], last["PRIORITY"]) == ("server-unreachable", "4")
    opened = next(entry for entry in entries if entry["LOGGER"].startswith("lpad.card."))
    assert opened["EUICC"] == CARD, "an entry of lpad.card lacks the card's name"
    assert not any("SECRET-ID" in value for entry in entries for value in entry.values())


def test_only_lpad_can_read_the_journal() -> None:
    """Only lpad's user can read the state folder, and no file contains a bound profile package."""
    with Gateway() as gateway:
        gateway.ready()
        life(gateway)
        kept = [path for path in (gateway.folder / "state").rglob("*") if path.is_file()]
        assert any(path.name == "journal.db-wal" for path in kept)
        state = gateway.folder / "state"
        private = [state, state / "links", *(path for path in kept if path.parent == state)]
        modes = {path.name: path.stat().st_mode & 0o077 for path in private}
        assert set(modes.values()) == {0}, modes
        for path in kept:
            if path.suffix != ".reserve":  # the reserve contains random bytes
                assert b"\xbf\x36\x82" not in path.read_bytes(), f"a bound package is in {path.name}"
