"""Probes of a card, with the daemon and without it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.cli.terminal import exit_codes
from lpad.simulator.personalities import find_personality

if TYPE_CHECKING:
    from collections.abc import Callable

IMEI = "490154203237518"


def run(gateway: Gateway, *arguments: str, code: int = exit_codes.DONE) -> str:
    """Run lpactl on the gateway's socket, check its exit code, and return its standard output."""
    return printed("lpad.cli.lpactl", "--socket", str(gateway.socket), *arguments, code=code)


def offline(*arguments: str, code: int = exit_codes.DONE) -> str:
    """Run lpad probe, check its exit code, and return its standard output."""
    return printed("lpad.cli.lpad", "probe", *arguments, code=code)


def printed(module: str, *arguments: str, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("strict-csim", {"link": "csim", "manufacturer": "Foxconn"}),
        ("cgla-hex64", {"link": "cgla", "handle": "16 hexadecimal digits"}),
        ("short-lines", {"link": "cgla", "block_size": 120}),
    ],
)
def test_each_personality_is_probed_and_usable(name: str, found: dict[str, Any]) -> None:
    """A modem's probe states how the daemon reaches the card, and the card can be used afterwards."""
    personality = find_personality(name)
    with Gateway(personality=personality.modem, behaviour=personality.card) as gateway:
        gateway.ready()
        change = gateway.client.probe(CARD, wait=PATIENCE).check()
        assert change.result is not None
        assert {key: change.result[key] for key in found} == found
        assert change.result["error"] is None
        assert change.result["svn"] == gateway.client.euicc(CARD).info.svn  # type: ignore[union-attr]  # it is ready
        assert {each["what"] for each in change.result["timings"]} >= {"GetEID", "GetProfilesInfo"}
        assert gateway.client.refresh(CARD, wait=PATIENCE).check().state == "done"


def test_a_report_identifies_no_subscriber(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """The output of lpactl probe contains neither EID, IMEI nor ICCID, unless --unredacted is given."""
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    eid = str(gateway.card.eid)
    for text in (run(gateway, "probe"), run(gateway, "probe", CARD, "--json")):
        assert "GetProfilesInfo" in text
        for secret in (eid, IMEI, iccid):
            assert secret not in text
            assert secret[8:-2] not in text
    report = json.loads(run(gateway, "probe", "--json", "--unredacted"))
    assert report["probe"]["eid"] == eid
    assert report["probe"]["imei"] == IMEI
    assert report["system"]["lpad"]
    assert eid not in gateway.log


def test_a_card_can_be_named_by_its_port(gateway: Gateway) -> None:
    """A card to probe can be named by its port, too; a port that no card of the daemon uses is an error."""
    port = str(gateway.folder / "port")
    assert json.loads(run(gateway, "probe", port, "--json"))["probe"]["port"].startswith("AT modem on ")
    run(gateway, "probe", "/dev/ttyUSB99", code=exit_codes.USAGE)


def test_existing_ports_and_readers_are_listed(gateway: Gateway) -> None:
    """The daemon and lpad probe list the same serial ports."""
    ports = gateway.client.ports()
    assert isinstance(ports.serial, tuple)
    assert json.loads(offline("--json"))["ports"]["serial"] == list(ports.serial)


def test_an_absent_card_has_a_report() -> None:
    """A probe of a card that cannot be reached is done, and its report gives the failure."""
    with Gateway(euicc={"port": "/dev/serial/by-id/usb-None_0123456789ABCDEF"}) as gateway:
        text = run(gateway, "probe", code=exit_codes.CARD)
        assert "there is no such port" in text
        assert "0123456789ABCDEF" not in text
        assert gateway.client.changes()[0].state == "done"


def test_lpad_probe_needs_no_daemon() -> None:
    """`lpad probe` probes a card without a daemon and without settings."""
    gateway = Gateway(personality=find_personality("cgla-bare-number").modem)
    with gateway:
        gateway.stop()
        port = str(gateway.folder / "port")
        table = offline("--port", port)
        assert "FM350-GL" in table
        assert str(gateway.card.eid) not in table
        report = json.loads(offline("--port", port, "--json", "--unredacted"))
        assert report["probe"]["eid"] == str(gateway.card.eid)
        assert gateway.modem.open_channels == ()
    assert "no such port" in offline("--port", port, code=exit_codes.CARD)
