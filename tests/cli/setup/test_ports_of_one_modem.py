"""lpad setup and lpad probe with a modem that has an AT port and a control port."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from api.gateway import Gateway
from card.port.fake_sysfs import usb_device
from cli.conftest import at_a_terminal
from engine.lab import CARD, Lab
from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings
from lpad.base.identifiers import ISD_R, Eid
from lpad.card import available_ports
from lpad.card.port.device_of_port import device_of
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import LINKS, ModemPort
from lpad.cli import offline_probe
from lpad.cli.setup import port_or_reader_trial
from lpad.cli.setup.setup_command import setup
from lpad.engine.snapshot.snapshot import CardState
from lpad.settings import SettingsFile
from lpad.settings.sections.euiccs.euicc import MOST_FALLBACK_PORTS
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.qmi.control_port import QmiModem

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
    monkeypatch.setattr(port_or_reader_trial, "device_of", partial(device_of, sysfs=sysfs))


def run_setup(folder: Path, *options: str) -> Result:
    ports = ["--port", str(folder / "ttyUSB2"), "--port", str(folder / "cdc-wdm0")]
    config = ["--config", str(folder / "lpad.yaml"), "--no-restart"]
    return CliRunner().invoke(setup, [*config, *ports, *options])


def written(folder: Path) -> list[tuple[str, str | None, list[str]]]:
    euiccs = SettingsFile.read(folder / "lpad.yaml").settings.euiccs
    return [(name, each.port, each.fallback_ports) for name, each in euiccs.items()]


@pytest.mark.parametrize("control", [MbimModem, QmiModem])
def test_the_other_port_becomes_a_fallback(
    control: type[MbimModem | QmiModem], tmp_path: Path, card: SoftCard
) -> None:
    """If two ports belong to one modem, setup offers no choice and writes both."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    with PtyModem(card, path=at), control(card, path=mbim):
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
    """For a modem with many ports, setup writes no more than the settings accept."""
    names = [f"ttyUSB{number}" for number in range(2 + MOST_FALLBACK_PORTS)]
    sysfs = tmp_path / "many"
    usb_device(sysfs, "1-2", **{name: f"1-2:1.{number}/{name}" for number, name in enumerate(names)})
    monkeypatch.setattr(port_or_reader_trial, "device_of", partial(device_of, sysfs=sysfs))
    paths = [str(tmp_path / name) for name in names]
    options = [word for path in paths for word in ("--port", path)]
    with ExitStack() as modems:
        for path in paths:
            modems.enter_context(PtyModem(card, path=Path(path)))
        config = ["--config", str(tmp_path / "lpad.yaml"), "--no-restart", "--yes"]
        done = CliRunner().invoke(setup, [*config, *options])
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("modem", paths[0], paths[1:-1])]


@pytest.mark.parametrize("control", [MbimModem, QmiModem])
def test_a_port_that_does_not_reach_the_card_is_left_out(
    control: type[MbimModem | QmiModem], tmp_path: Path, card: SoftCard
) -> None:
    """Setup proposes the port that works, although another port of the modem comes first."""
    with PtyModem(card, path=tmp_path / "ttyUSB2") as modem, control(card, path=tmp_path / "cdc-wdm0"):
        modem.once("AT+CCHO", instead=("+CME ERROR: 10",))
        modem.once("AT+CSIM", instead=("+CME ERROR: 10",))
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert "not usable" in done.output
    assert written(tmp_path) == [("modem", str(tmp_path / "cdc-wdm0"), [])]


def test_two_cards_behind_one_device_stay_two(tmp_path: Path, card: SoftCard, pki: Pki) -> None:
    """Two cards behind one USB device, such as a serial adapter with several sockets, stay two cards."""
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
    """For further ports of a device, the table of `lpad probe` names the device's first port."""
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


def settings_with(folder: Path, lines: str) -> None:
    (folder / "lpad.yaml").write_text(f"socket: lpad.sock\neuiccs:\n{lines}", encoding="utf-8")


def listing(at: Path, *, more: str = "") -> str:
    return f"  gate:  # ours\n    port: {at}  # AT\n    baud: 9600\n{more}"


@pytest.mark.parametrize("known", [True, False], ids=["sysfs", "no sysfs"])
def test_another_port_of_a_listed_modem(
    tmp_path: Path, card: SoftCard, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    """If setup is run again, it adds the port to the modem with the card's EID, and changes nothing else."""
    if not known:
        monkeypatch.setattr(port_or_reader_trial, "device_of", lambda _port: None)
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(at))
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        shown = run_setup(tmp_path, "--dry-run")
        assert f"{at}: already in the settings as 'gate'" in shown.output
        assert f"{mbim}: another port of the modem of 'gate'" in shown.output
        assert f'+    fallback_ports: ["{mbim}"]' in shown.output
        assert written(tmp_path) == [("gate", str(at), [])]
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("gate", str(at), [str(mbim)])]
    text = (tmp_path / "lpad.yaml").read_text(encoding="utf-8")
    assert f"  gate:  # ours\n    port: {at}  # AT\n    fallback_ports:" in text
    assert text.endswith("    baud: 9600\n")


def test_a_listed_modem_that_a_killed_daemon_left_at_another_speed(tmp_path: Path, card: SoftCard) -> None:
    """Setup reads the daemon's note about the speed, reaches the modem, and restores the usual speed."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    state = tmp_path / "state"
    settings_with(tmp_path, f"  gate:\n    port: {at}\n")
    text = (tmp_path / "lpad.yaml").read_text(encoding="utf-8")
    (tmp_path / "lpad.yaml").write_text(f"state_folder: {state}\n{text}", encoding="utf-8")
    rates = ModemPersonality(line_rates=(115_200, 921_600))
    with PtyModem(card, path=at, personality=rates) as modem, MbimModem(card, path=mbim):
        fast = ModemPort(path=str(at), fast_baud=921_600)
        link = fast.way(memory=None, folder=state / LINKS, watch=PortWatch()).open_link(Deadline.after(30))
        link.imei(deadline=Deadline.after(30))
        link.close()
        assert modem.line_rate == 921_600
        shown = run_setup(tmp_path, "--dry-run")
        assert f"{mbim}: another port of the modem of 'gate'" in shown.output
        assert modem.line_rate == 115_200


def test_a_terminal_is_asked_before_a_port_is_added(tmp_path: Path, card: SoftCard) -> None:
    """At a terminal, setup offers no choice of ports; the user only confirms the lines that setup shows."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(at))
    command = [sys.executable, "-m", "lpad.cli.lpad", "setup", "--config", str(tmp_path / "lpad.yaml")]
    command += ["--no-restart", "--port", str(mbim)]
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        code, told = at_a_terminal(command, "n", after="[Y/n]:")
        assert f"{mbim}: another port of the modem of 'gate'" in told
        assert "Which of them" not in told
        assert written(tmp_path) == [("gate", str(at), [])]
        code, told = at_a_terminal(command, "y", after="[Y/n]:")
    assert code == 0, told
    assert written(tmp_path) == [("gate", str(at), [str(mbim)])]


def test_a_port_is_added_to_those_that_are_listed(tmp_path: Path, card: SoftCard) -> None:
    """Setup keeps the settings' ports of a modem in their order, even those that are away."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(tmp_path / "away", more=f"    fallback_ports: [{at}]  # more\n"))
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("gate", str(tmp_path / "away"), [str(at), str(mbim)])]
    assert "  # more\n" in (tmp_path / "lpad.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param("    fallback_ports:\n      - {at}\n", id="block"),
        pytest.param(
            "    fallback_ports:  # more\n    # AT\n    - '{at}'  # AT\n\n    refresh: true\n", id="comments"
        ),
        pytest.param('    fallback_ports:\n    - "{at}"\n  other:\n    reader: Other\n', id="next-card"),
    ],
)
def test_a_port_is_added_to_a_list_with_a_line_for_each(tmp_path: Path, card: SoftCard, listed: str) -> None:
    """If the file lists the ports one per line, setup adds a line and leaves the others unchanged."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(tmp_path / "away", more=listed.format(at=at)))
    before = (tmp_path / "lpad.yaml").read_text(encoding="utf-8").splitlines()
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path)[0] == ("gate", str(tmp_path / "away"), [str(at), str(mbim)])
    after = (tmp_path / "lpad.yaml").read_text(encoding="utf-8").splitlines()
    (added,) = (each for each in after if each.endswith(f"- {mbim}"))
    assert [each for each in after if each != added] == before


@pytest.mark.parametrize("comment", ["", "  # the port"])
def test_a_port_on_the_line_below_its_key(tmp_path: Path, card: SoftCard, comment: str) -> None:
    """The new list is written before a key whose value is on the next line, so that both stay together."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, f"  gate:\n    port:{comment}\n      {at}\n")
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("gate", str(at), [str(mbim)])]


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param("    fallback_ports: [\n      {at}]\n", id="brackets"),
        pytest.param("    fallback_ports:\n      - {at}\n      -\n        {at}0\n", id="item-below-its-dash"),
    ],
)
def test_the_line_to_write_replaces_the_list(tmp_path: Path, card: SoftCard, listed: str) -> None:
    """If setup cannot extend the list in the file, the error shows the line that is to replace the list."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(tmp_path / "away", more=listed.format(at=at)))
    before = (tmp_path / "lpad.yaml").read_bytes()
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert isinstance(done.exception, InvalidSettings)
    assert "in place of its fallback_ports" in done.exception.sentence
    assert f'fallback_ports: ["{at}", ' in done.exception.sentence
    assert (tmp_path / "lpad.yaml").read_bytes() == before


def test_the_running_daemon_knows_the_eid(tmp_path: Path, pki: Pki) -> None:
    """If a running daemon has the listed port, setup asks the daemon, and tries only the other port."""
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        text = f"socket: {gateway.path}\neuiccs:\n  {CARD}:\n    port: {tmp_path / 'held'}\n"
        (tmp_path / "lpad.yaml").write_text(text, encoding="utf-8")
        mbim = tmp_path / "cdc-wdm0"
        with MbimModem(lab.card, path=mbim):
            done = run_setup(tmp_path, "--dry-run")
    assert done.exit_code == 0, done.output
    assert f'+    fallback_ports: ["{mbim}"]' in done.output
    assert "modem2" not in done.output


def test_a_second_card_of_the_same_adapter_is_not_hidden(tmp_path: Path, card: SoftCard, pki: Pki) -> None:
    """If the listed port leads to another EID, the card in the next socket of the adapter is added."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(at))
    with (
        SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other,
        PtyModem(card, path=at),
        MbimModem(other, path=mbim),
    ):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert sorted(written(tmp_path)) == [("gate", str(at), []), ("modem", str(mbim), [])]


def test_a_control_port_of_a_modem_that_does_not_reach_its_card(tmp_path: Path, card: SoftCard) -> None:
    """Setup adds a control port to the device's listed port, even if this port has never shown an EID."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, listing(at))
    with MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [("gate", str(at), [str(mbim)])]


def test_a_serial_port_of_an_unknown_card_is_left_to_the_user(
    tmp_path: Path, card: SoftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two serial ports of one device may be one modem or two, so setup writes nothing, and explains this."""
    sysfs = tmp_path / "adapter"
    usb_device(sysfs, "1-2", ttyUSB2="1-2:1.2/ttyUSB2", ttyUSB3="1-2:1.3/ttyUSB3")
    monkeypatch.setattr(port_or_reader_trial, "device_of", partial(device_of, sysfs=sysfs))
    settings_with(tmp_path, listing(tmp_path / "ttyUSB2"))
    with PtyModem(card, path=tmp_path / "ttyUSB3"):
        config = ["--config", str(tmp_path / "lpad.yaml"), "--no-restart", "--yes"]
        done = CliRunner().invoke(setup, [*config, "--port", str(tmp_path / "ttyUSB3")])
    assert done.exit_code == 0, done.output
    assert "on the same device as 'gate', whose EID is unknown" in done.output
    assert written(tmp_path) == [("gate", str(tmp_path / "ttyUSB2"), [])]


def test_a_card_that_moved_to_another_device(
    tmp_path: Path, card: SoftCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a listed card's EID appears on a different USB device, setup adds the port as a separate modem."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    devices = {str(at): "1-2", str(mbim): "1-3"}
    monkeypatch.setattr(port_or_reader_trial, "device_of", lambda port: devices[str(port)])
    settings_with(tmp_path, listing(at))
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--dry-run")
    assert done.exit_code == 0, done.output
    assert f"+  modem:\n+    port: {mbim}" in done.output


def test_both_euiccs_of_a_card_get_the_port(tmp_path: Path, card: SoftCard) -> None:
    """Two eUICCs of one card must list the same ports, so both entries get the new port."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    one = f"  one:\n    port: {at}\n    aid: {ISD_R}\n"
    two = f"  two:\n    aid: A0000005591010FFFFFFFF8900000200\n    port: {at}\n"
    settings_with(tmp_path, one + two)
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert written(tmp_path) == [(name, str(at), [str(mbim)]) for name in ("one", "two")]


def test_a_new_card_is_written_beside_one_that_gets_no_port(
    tmp_path: Path, card: SoftCard, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Setup names a port that it cannot add, and still adds another card to the settings."""
    monkeypatch.setattr(port_or_reader_trial, "device_of", lambda _port: None)
    at, mbim, third = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0", tmp_path / "ttyUSB7"
    settings_with(tmp_path, f"  gate: {{port: {at}}}\n")
    with (
        SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other,
        PtyModem(card, path=at),
        MbimModem(card, path=mbim),
        PtyModem(other, path=third),
    ):
        done = run_setup(tmp_path, "--port", str(third), "--yes")
    assert done.exit_code == 0, done.output
    assert f'fallback_ports: ["{mbim}"]' in done.output
    assert sorted(written(tmp_path)) == [("gate", str(at), []), ("modem", str(third), [])]


def test_a_card_in_one_line_gets_no_port(tmp_path: Path, card: SoftCard) -> None:
    """If the card's section is on one line, setup leaves the file unchanged and shows the key to add."""
    at, mbim = tmp_path / "ttyUSB2", tmp_path / "cdc-wdm0"
    settings_with(tmp_path, f"  gate: {{port: {at}}}\n")
    before = (tmp_path / "lpad.yaml").read_bytes()
    with PtyModem(card, path=at), MbimModem(card, path=mbim):
        done = run_setup(tmp_path, "--yes")
    assert isinstance(done.exception, InvalidSettings)
    assert f'fallback_ports: ["{mbim}"]' in done.exception.sentence
    assert "among its keys" in done.exception.sentence
    assert (tmp_path / "lpad.yaml").read_bytes() == before
