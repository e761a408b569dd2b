"""lpad setup and lpad probe with a modem that has an AT port and an MBIM port."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from card.port.fake_sysfs import usb_device
from lpad.base.identifiers import Eid
from lpad.card import available_ports
from lpad.card.port.device_of_port import device_of
from lpad.cli import offline_probe
from lpad.cli.setup import port_trial
from lpad.cli.setup.setup_command import setup
from lpad.settings import SettingsFile
from lpad.settings.sections.euiccs.euicc import MOST_FALLBACK_PORTS
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from lpad.simulator.pki.pki import Pki

OTHER_EID = "89049032123451234512345678901326"


@pytest.fixture
def card(tmp_path: Path, pki: Pki) -> Iterator[SoftCard]:
    with SoftCard(tmp_path / "card", pki=pki) as made:
        yield made


@pytest.fixture(autouse=True)
def _sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sysfs = tmp_path / "sys"
    usb_device(sysfs, "1-2", **{"ttyUSB2": "1-2:1.2/ttyUSB2", "cdc-wdm0": "1-2:1.4"})
    monkeypatch.setattr(port_trial, "device_of", partial(device_of, sysfs=sysfs))


def run_setup(folder: Path, *options: str) -> Result:
    ports = ["--port", str(folder / "ttyUSB2"), "--port", str(folder / "cdc-wdm0")]
    config = ["--config", str(folder / "lpad.yaml"), "--no-restart"]
    return CliRunner().invoke(setup, [*config, *ports, *options])


def written(folder: Path) -> list[tuple[str, str | None, list[str]]]:
    euiccs = SettingsFile.read(folder / "lpad.yaml").settings.euiccs
    return [(name, each.port, each.fallback_ports) for name, each in euiccs.items()]


def test_the_other_port_becomes_a_fallback(tmp_path: Path, card: SoftCard) -> None:
    """There is one modem, so there is nothing to choose, and both of its ports are written."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        asked = run_setup(tmp_path)
        assert "add --yes, because lpad cannot ask here" in asked.output
        assert "several ports" not in asked.output
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert f'+    fallback_ports: ["{mbim}"]' in done.output
    assert written(tmp_path) == [("modem", str(at), [str(mbim)])]


def test_no_more_ports_are_written_than_the_settings_take(
    tmp_path: Path, card: SoftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A modem with many ports still gets settings that lpad reads."""
    names = [f"ttyUSB{number}" for number in range(2 + MOST_FALLBACK_PORTS)]
    sysfs = tmp_path / "many"
    usb_device(sysfs, "1-2", **{name: f"1-2:1.{number}/{name}" for number, name in enumerate(names)})
    monkeypatch.setattr(port_trial, "device_of", partial(device_of, sysfs=sysfs))
    paths = [str(tmp_path / name) for name in names]
    options = [word for path in paths for word in ("--port", path)]
    with ExitStack() as modems:
        for path in paths:
            modems.enter_context(PtyModem(card, path=Path(path)))
        config = ["--config", str(tmp_path / "lpad.yaml"), "--no-restart", "--yes"]
        done = CliRunner().invoke(setup, [*config, *options])
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("modem", paths[0], paths[1:-1])]


def test_a_port_that_does_not_reach_the_card_is_left_out(tmp_path: Path, card: SoftCard) -> None:
    """The port that works is proposed, although another one of the modem comes first."""
    with PtyModem(card, path=tmp_path / "ttyUSB2") as modem, MbimModem(card, path=tmp_path / "cdc-wdm0"):
        modem.once("AT+CCHO", instead=("+CME ERROR: 10",))
        modem.once("AT+CSIM", instead=("+CME ERROR: 10",))
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert "not usable" in done.output
    assert written(tmp_path) == [("modem", str(tmp_path / "cdc-wdm0"), [])]


def test_two_cards_behind_one_device_stay_two(tmp_path: Path, card: SoftCard, pki: Pki) -> None:
    """A serial adapter with several sockets is one USB device; each socket may lead to another modem."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    with (
        SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other,
        PtyModem(card, path=at),
        MbimModem(other, path=mbim),
    ):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("modem", str(at), []), ("modem2", str(mbim), [])]


def test_probe_shows_the_ports_of_one_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table names the first port of the same device."""
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in ("ttyUSB2", "ttyUSB9", "cdc-wdm0"):
        (devices / name).touch()
    listed = partial(available_ports.find_ports, devices=devices, sysfs=tmp_path / "sys")
    monkeypatch.setattr(offline_probe, "find_ports", listed)
    lines = [line.split() for line in CliRunner().invoke(offline_probe.probe, []).output.splitlines()]
    assert ["KIND", "NAME", "SAME", "DEVICE", "AS"] in lines
    assert ["port", str(devices / "ttyUSB2"), str(devices / "cdc-wdm0")] in lines
    assert [line[:2] for line in lines if line[1:] and line[1].endswith("ttyUSB9")] == [
        ["port", str(devices / "ttyUSB9")]
    ]
