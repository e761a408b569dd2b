"""`systemctl reload`: what can be applied without dropping a card is, and the rest is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.managed import Managed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


def test_the_manager_is_told(managed: Managed) -> None:
    """RELOADING comes with the moment, READY when it is over, as sd_notify(3) wants it."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    said = managed.reload()
    (reloading,) = (each for each in said if "RELOADING" in each)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before <= int(reloading["MONOTONIC_USEC"]) <= after
    assert said[-1] == {"READY": "1"}


def test_what_counts_at_once(gateway: Gateway, managed: Managed, profile: Callable[[], bytes]) -> None:
    """A level, deadlines, hosts and trust count for what begins next; the card's port is never closed."""
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
    assert "settings read anew; changed: " in gateway.log


def test_what_needs_a_restart_is_named(gateway: Gateway, managed: Managed) -> None:
    """Log, status and GET /v1/system name the keys that wait, until they are as they were."""
    gateway._settings = {"socket": str(gateway.folder / "other.sock")}
    gateway._euicc = {"baud": 9600}
    managed.reload()
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == (f"euiccs.{CARD}.baud", "socket")
    assert f"restart needed for euiccs.{CARD}.baud, socket" in managed.status
    assert f"only from the next start on: euiccs.{CARD}.baud, socket" in gateway.log
    gateway._settings, gateway._euicc = {}, {}
    managed.reload()
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.restart_needed == ()
    assert "restart" not in managed.status


def test_a_broken_file_changes_nothing(gateway: Gateway, managed: Managed) -> None:
    """All mistakes are logged with their lines, the status says so, and the old settings go on."""
    path = gateway.write_settings()
    path.write_text("log: loud\nsoket: x\n", encoding="utf-8")
    managed.hangup()
    assert "the settings file is wrong" in managed.status
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.error is not None
    assert [line.split(":")[1] for line in settings.error.splitlines()] == ["1", "2"]
    assert f"{path}:1: 'log': one of error" in gateway.log
    assert f"{path}:2: 'soket': there is no such setting" in gateway.log
    assert gateway.client.refresh(CARD, wait=PATIENCE).check().state == "done"
    managed.reload()
    assert "wrong" not in managed.status
    settings = gateway.client.system().settings
    assert settings is not None
    assert settings.error is None


def test_trust_that_cannot_be_read_changes_nothing(gateway: Gateway, managed: Managed) -> None:
    """A CA file that is missing is found before anything is applied."""
    gateway._settings = {"log": "debug", "trust": {"extra_ca_files": ["missing.pem"]}}
    managed.reload()
    assert "missing.pem" in managed.status
    assert "DEBUG" not in gateway.log


def test_hangups_in_a_row_end_with_the_last_file(gateway: Gateway, managed: Managed) -> None:
    """A file written while another is being read is read too."""
    for answer_within in range(1, 20):
        gateway._settings = {"log": "debug" if answer_within % 2 else "info"}
        gateway.write_settings()
        managed.process.send_signal(1)
    gateway._settings = {"history": {"days": 3}}
    managed.reload()
    managed.until_status("restart needed for history.days")


def test_the_status_tells_what_happens(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """An operator sees cards and changes in `systemctl status`."""
    managed.until_status("1 eUICC ready")
    change = gateway.client.download(
        CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE
    )
    managed.until_status(f"1 eUICC ready; change {change.id} (download) waits for an answer")
    gateway.client.cancel(change.id)
    managed.until("STATUS", "1 eUICC ready")


def test_the_end_while_a_change_waits(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """What the engine tells when nobody serves any more holds up nothing: SIGTERM ends the daemon with 0."""
    gateway.client.download(CARD, activation_code=gateway.order(profile()), confirm=True, wait=PATIENCE)
    managed.process.terminate()
    assert managed.process.wait(PATIENCE) == 0


def test_a_policy_counts_from_a_reload(
    gateway: Gateway, managed: Managed, profile: Callable[[], bytes]
) -> None:
    """What may be installed, for all cards or one, changes without a restart; a refusal is logged."""
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
