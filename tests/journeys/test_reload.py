"""After `systemctl reload`, lpad applies the settings that need no restart, and names those that need one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.managed_daemon import Managed
from lpad.base.errors import CardBusy
from lpad.base.identifiers import Eid
from lpad.card.port.serial_line import SerialLine
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECOND_EID = "89049032123451234512345678901300"
IMEI = "356938035643809"
OUTSIDER = 54321
"""A user ID that belongs to no user."""
CALLER = """
import http.client, json, os, socket, sys
path, uid = sys.argv[1], int(sys.argv[2])
if os.geteuid() != uid:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
connection = http.client.HTTPConnection("lpad")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
for _ in sys.stdin:
    connection.request("GET", "/v1/system")
    answer = connection.getresponse()
    print(answer.status, json.loads(answer.read()).get("kind"), flush=True)
"""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.start = lambda: None  # type: ignore[method-assign]  # a manager starts it
    with gateway:
        yield gateway


@pytest.fixture
def managed(gateway: Gateway) -> Iterator[Managed]:
    with Managed(gateway) as managed:
        gateway.ready()
        yield managed


def test_systemd_is_notified_of_a_reload(managed: Managed) -> None:
    """A reload sends RELOADING with the time, and READY at its end, as sd_notify(3) requires."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    said = managed.reload()
    (reloading,) = (each for each in said if "RELOADING" in each)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(reloading["MONOTONIC_USEC"]) <= after
    assert said[-1] == {"READY": "1"}


def test_settings_that_take_effect_without_a_restart(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """Log level, hosts and the time for answers take effect, and the card's port is not reopened."""
    opened = gateway.log.count(" open")
    answering = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    assert answering.state == "waiting"
    gateway._settings = {"log": "debug", "remote": {"hosts": {}}, "answer_within": 1}
    managed.reload()
    system = gateway.client.system()
    assert system.settings is not None
    assert system.settings.restart_needed == ()
    gateway.client.answer(answering.id, decision="accept")
    gateway.client.wait(answering.id, seconds=PATIENCE).check()
    again = gateway.client.download(CARD, activation_code="LPA:1$smdp.invalid$X", wait=PATIENCE)
    assert again.error is not None
    assert again.error.kind == "server-unreachable"
    assert "DEBUG" in gateway.log
    assert gateway.log.count(" open") == opened
    gateway._settings = {"answer_within": 0.5}
    managed.reload()
    given_up = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    gateway.until(lambda: gateway.client.change(given_up.id).state == "failed")
    assert "settings reloaded; changed: " in gateway.log


def test_settings_that_need_a_restart_are_named(gateway: Gateway, managed: Managed) -> None:
    """Log, status and GET /v1/system name the settings that need a restart, until they are undone."""
    gateway._settings = {
        "socket": str(gateway.folder / "other.sock"),
        "state_folder": str(gateway.folder / "elsewhere"),
    }
    managed.reload()
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == ("socket", "state_folder")
    assert "restart needed for socket, state_folder" in managed.status
    assert "effective only after a restart: socket, state_folder" in gateway.log
    gateway._settings = {}
    managed.reload()
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == ()
    assert "restart" not in managed.status


def test_a_fifo_in_place_of_a_file_is_refused(gateway: Gateway, managed: Managed) -> None:
    """A FIFO in place of the settings file or of a CA file is an error, and later reloads work."""
    settings = gateway.write_settings()
    whole = settings.read_text()
    settings.unlink()
    os.mkfifo(settings)
    managed.hangup()
    told = gateway.client.system().settings
    assert told is not None
    assert "not a regular file" in (told.error or "")
    settings.unlink()
    folder = gateway.folder / "cas"
    folder.mkdir()
    os.mkfifo(folder / "ca.pem")
    settings.write_text(whole)
    gateway._settings = {"trust": {"folder": str(folder)}}
    managed.reload()
    told = gateway.client.system().settings
    assert told is not None
    assert "ca.pem: it is not a regular file" in (told.error or "")
    gateway._settings = {}
    managed.reload()
    told = gateway.client.system().settings
    assert told is not None
    assert told.error is None


def test_a_reload_while_the_daemon_stops(gateway: Gateway, managed: Managed) -> None:
    """If a reload and a stop are requested at the same time, the daemon ends with 0 and without an error."""
    managed.process.send_signal(signal.SIGHUP)
    managed.process.send_signal(signal.SIGTERM)
    assert managed.process.wait(PATIENCE) == 0
    assert "Traceback" not in gateway.log
    assert "internal-error" not in gateway.log


def test_the_state_folder_stays_until_a_restart(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """If a reload changes the state folder, lpad still writes to the old folder."""
    elsewhere = gateway.folder / "elsewhere"
    elsewhere.mkdir()
    gateway._settings = {"state_folder": str(elsewhere)}
    managed.reload()
    gateway.download(gateway.order(profile())).check()
    assert list(elsewhere.iterdir()) == []
    assert len(list(gateway.folder.rglob("servers.json"))) == 1


def test_a_broken_file_changes_nothing(gateway: Gateway, managed: Managed) -> None:
    """If the settings file is wrong, a reload logs each mistake with its line, and lpad works on."""
    path = gateway.write_settings()
    path.write_text("log: loud\nsoket: x\n", encoding="utf-8")
    managed.hangup()
    assert "the settings file is wrong" in managed.status
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.error is not None
    assert [line.split(":")[1] for line in settings.error.splitlines()] == ["1", "2"]
    assert f"{path}:1: 'log': expected one of error" in gateway.log
    assert f"{path}:2: 'soket': there is no such setting" in gateway.log
    assert gateway.client.refresh(CARD, wait=PATIENCE).check().state == "done"
    managed.reload()
    assert "wrong" not in managed.status
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.error is None


def test_trust_that_cannot_be_read_changes_nothing(gateway: Gateway, managed: Managed) -> None:
    """If a CA file is missing at a reload, lpad reports this and applies no setting."""
    gateway._settings = {"log": "debug", "trust": {"extra_ca_files": ["missing.pem"]}}
    managed.reload()
    assert "missing.pem" in managed.status
    assert "DEBUG" not in gateway.log


def test_hangups_in_a_row_end_with_the_last_file(gateway: Gateway, managed: Managed) -> None:
    """After many SIGHUPs in a row, the last version of the settings file is in effect."""
    for answer_within in range(1, 20):
        gateway._settings = {"log": "debug" if answer_within % 2 else "info"}
        gateway.write_settings()
        managed.process.send_signal(1)
    gateway._settings = {"state_folder": "elsewhere"}
    managed.reload()
    managed.until_status("restart needed for state_folder")


def test_the_status_reports_what_happens(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """The service's status shows how many cards are ready, and a change that waits."""
    managed.until_status("1 eUICC ready")
    change = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    managed.until_status(f"1 eUICC ready; change {change.id} (download) waits for consent")
    gateway.client.cancel(change.id)
    managed.until("STATUS", "1 eUICC ready")


def test_the_end_while_a_change_waits(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """After SIGTERM, the daemon exits with 0 although a change waits for an answer."""
    gateway.client.download(CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE)
    managed.process.terminate()
    assert managed.process.wait(PATIENCE) == 0


def test_a_policy_counts_from_a_reload(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """A reload applies a new install policy for all cards or for one card, and a refusal is logged."""
    gateway._settings = {"policy": {"servers": ["*.example.org"]}}
    managed.reload()
    refused = gateway.download(gateway.order(profile()))
    assert refused.error is not None
    assert (refused.error.kind, refused.error.details) == ("policy-refused", {"rule": "servers"})
    assert f"change {refused.id} (download) on {CARD}: decision 'refuse' by 'servers'" in gateway.log
    gateway._euicc = {"policy": {"servers": ["*"]}}
    managed.reload()
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == ()
    gateway.download(gateway.order(profile())).check()


@pytest.fixture
def second(gateway: Gateway) -> Iterator[Path]:
    """The port of a second card's modem."""
    path = gateway.folder / "second-port"
    with (
        SoftCard(gateway.folder / "second", pki=gateway.pki, eid=Eid.parse(SECOND_EID)) as card,
        PtyModem(card, path=path),
    ):
        yield path


def test_a_card_comes_and_goes(
    gateway: Gateway, managed: Managed, second: Path, profile: Callable[[], bytes]
) -> None:
    """A reload that adds a card leaves the first alone; a removed card's changes end, its port is free."""
    opened = gateway.log.count(f"{CARD}: AT modem on")
    asks = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    first = {"port": str(gateway.folder / "port")}
    gateway._settings = {"euiccs": {CARD: first, "second": {"port": str(second)}}}
    managed.reload()
    gateway.until(lambda: gateway.client.euicc("second").state == "ready")
    assert gateway.client.euicc("second").eid == SECOND_EID
    assert gateway.client.refresh("second", wait=PATIENCE).check().state == "done"
    waits = gateway.client.download(
        "second", activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    assert waits.state == "waiting", waits.error
    gateway._settings = {"euiccs": {CARD: first}}
    managed.reload()
    ended = gateway.client.wait(waits.id, seconds=PATIENCE)
    assert ended.error is not None
    assert (ended.state, ended.error.sentence) == (
        "cancelled",
        "the settings no longer name a card 'second'",
    )
    assert [each.name for each in gateway.client.euiccs()] == [CARD]
    gateway.until(lambda: open_at_link_ends(second))
    gateway.client.answer(asks.id, decision="accept")
    gateway.client.wait(asks.id, seconds=PATIENCE).check()
    assert gateway.log.count(f"{CARD}: AT modem on") == opened
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == ()


def open_at_link_ends(port: Path) -> bool:
    """Return whether the port can be opened, because lpad no longer uses the port."""
    try:
        SerialLine(str(port)).close()
    except CardBusy:
        return False
    return True


def test_keys_of_a_card(gateway: Gateway, managed: Managed, profile: Callable[[], bytes]) -> None:
    """If a setting of the link changes, lpad reopens the card; others apply to the next change."""
    opened = gateway.log.count(f"{CARD}: AT modem on")
    iccid = gateway.client.download(CARD, activation_code=gateway.order(profile()), wait=PATIENCE).check()
    assert iccid.result is not None
    gateway._euicc = {"imei": IMEI, "switching": {"protected": [iccid.result["iccid"]]}}
    managed.reload()
    refused = gateway.client.delete(CARD, str(iccid.result["iccid"]), wait=PATIENCE)
    assert refused.error is not None
    assert refused.error.kind == "protected"
    gateway.client.refresh(CARD, wait=PATIENCE).check()
    assert gateway.client.euicc(CARD).imei == IMEI
    assert gateway.log.count(f"{CARD}: AT modem on") == opened
    gateway._euicc = {"baud": 9600}
    managed.reload()
    gateway.until(lambda: gateway.log.count(f"{CARD}: AT modem on") == opened + 1)
    gateway.ready()
    gateway.client.delete(CARD, str(iccid.result["iccid"]), wait=PATIENCE).check()


def test_who_may_connect(gateway: Gateway, managed: Managed) -> None:
    """After a reload, the socket's access list has the users with a role, and no user that lost its role."""
    gateway._settings = {"access": {"read": {"users": [OUTSIDER]}}}
    managed.reload()
    assert OUTSIDER.to_bytes(4, "little") in access_list(gateway)
    gateway._settings = {}
    managed.reload()
    assert OUTSIDER.to_bytes(4, "little") not in access_list(gateway)


def test_a_role_that_is_taken_away_counts_on_open_connections(gateway: Gateway, managed: Managed) -> None:
    """A user that kept its connection but lost its role gets 403 from the reload on.

    Only root can become another user; without root, the test's user is the owner, who keeps all roles.
    """
    uid = OUTSIDER if os.geteuid() == 0 else os.geteuid()
    gateway.folder.chmod(0o711)
    gateway._settings = {"access": {"read": {"users": [uid]}}}
    managed.reload()
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, str(gateway.socket), str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as caller:
        assert caller.stdin is not None
        assert caller.stdout is not None
        answers = []
        for settings in (gateway._settings, {}):
            gateway._settings = settings
            managed.reload()
            caller.stdin.write("\n")
            caller.stdin.flush()
            answers.append(caller.stdout.readline().split()[:2])
        caller.stdin.close()
    assert answers == [["200", "None"], ["403", "not-permitted"] if os.geteuid() == 0 else ["200", "None"]]


def access_list(gateway: Gateway) -> bytes:
    return os.getxattr(gateway.socket, "system.posix_acl_access")


def test_how_long_downloads_are_tried(gateway: Gateway, managed: Managed) -> None:
    """A download that begins after a reload uses the new `retry_for`."""
    nowhere = "LPA:1$smdp.invalid$X"
    failed = gateway.client.download(CARD, activation_code=nowhere, wait=PATIENCE)
    assert failed.state == "failed"
    gateway._settings = {"downloads": {"retry_for": 3600}}
    managed.reload()
    waits = gateway.client.download(CARD, activation_code=nowhere)
    gateway.until(lambda: gateway.client.change(waits.id).state == "waiting")
    assert gateway.client.cancel(waits.id, wait=PATIENCE).state == "cancelled"
