"""The protocol of a port is found in sysfs, in its name, at a proxy, or by asking the modem."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import IMEI, ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.card.available_ports import find_ports
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.link_facts import facts_of
from lpad.card.port.hotplug import PortWatch
from lpad.card.port.port_protocol import PortProtocol, protocol_of
from lpad.card.port.port_protocol_query import ask_protocol
from lpad.card.port_kinds import ModemPort
from lpad.codec.mbim.messages import Open
from lpad.codec.qmi.control import GetVersionInfo
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.qmi.control_port import QmiModem
from proxy_namespace import ProxyNamespace

if TYPE_CHECKING:
    from pathlib import Path


def driver(sysfs: Path, device: str, name: str) -> None:
    """Make the links in sysfs by which the kernel shows the driver of a cdc-wdm device."""
    place = sysfs / "class" / "usbmisc" / device / "device"
    place.mkdir(parents=True)
    (sysfs / name).mkdir()
    (place / "driver").symlink_to(sysfs / name)


@pytest.mark.parametrize(
    ("name", "protocol"), [("cdc_mbim", PortProtocol.MBIM), ("qmi_wwan", PortProtocol.QMI)]
)
def test_the_driver_determines_the_protocol(name: str, protocol: PortProtocol, tmp_path: Path) -> None:
    """The driver of a cdc-wdm device determines its protocol."""
    driver(tmp_path, "cdc-wdm7", name)
    assert protocol_of("/dev/cdc-wdm7", sysfs=tmp_path) is protocol


@pytest.mark.parametrize("protocol", PortProtocol)
def test_the_type_of_a_wwan_port_determines_the_protocol(protocol: PortProtocol, tmp_path: Path) -> None:
    """The type in sysfs determines a WWAN port's protocol, whatever the port's name."""
    place = tmp_path / "class" / "wwan" / "wwan0x"
    place.mkdir(parents=True)
    (place / "type").write_text(f"{protocol.value}\n")
    assert protocol_of("/dev/wwan0x", sysfs=tmp_path) is protocol


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        ("/dev/wwan0mbim0", PortProtocol.MBIM),
        ("/dev/wwan0qmi0", PortProtocol.QMI),
        ("/dev/wwan0at0", PortProtocol.AT),
        ("/dev/cdc-wdm3", None),
        ("/dev/ttyUSB2", PortProtocol.AT),
        ("/dev/serial/by-id/usb-Quectel-if02", PortProtocol.AT),
    ],
)
def test_otherwise_the_name_determines_the_protocol(
    port: str, protocol: PortProtocol | None, tmp_path: Path
) -> None:
    """Without sysfs, the port's name determines the protocol; that of a cdc-wdm device is unknown."""
    assert protocol_of(port, sysfs=tmp_path) is protocol


def test_a_link_states_the_protocol_of_a_device_that_does_not(tmp_path: Path) -> None:
    """If a symbolic link's name shows the protocol, lpad does not query the modem."""
    (tmp_path / "cdc-wdm0").touch()
    link = tmp_path / "wwan9mbim0"
    link.symlink_to(tmp_path / "cdc-wdm0")
    assert protocol_of(str(link), sysfs=tmp_path) is PortProtocol.MBIM


@pytest.mark.parametrize("place", ["cdc-wdm0", "unix:"])
@pytest.mark.parametrize("kind", ["mbim", "qmi"])
def test_a_way_leads_through_a_control_port(kind: str, place: str, tmp_path: Path) -> None:
    """The settings need only the port's path: lpad asks the modem once for the protocol, and remembers it."""
    path = f"unix:{tmp_path}/port" if place == "unix:" else str(tmp_path / place)
    card = ScriptedCard(answers={GET_EID: EID})
    modem = MbimModem(card, path=path) if kind == "mbim" else QmiModem(card, path=path)
    with modem:
        port = ModemPort(path=modem.path)
        assert port.transport == f"modem on {modem.path}"
        way = port.way(memory=None, folder=None, watch=PortWatch())
        for _ in range(2):
            link = way.open_link(soon())
            with isdr_session(link, deadline=soon()) as isdr:
                assert isdr.command(GET_EID, deadline=soon()) == EID
            assert facts_of(link).kind == kind
            link.close()
        way.give_back()
    if isinstance(modem, QmiModem):
        assert questions(modem) == 1


def questions(modem: QmiModem) -> int:
    """Count the queries by which lpad determines the port's protocol."""
    asked = (GetVersionInfo.SERVICE, GetVersionInfo.MESSAGE)
    return [(each.service, each.number) for each in modem.received].count(asked)


def test_a_modem_that_speaks_neither_is_named(tmp_path: Path) -> None:
    """If a modem answers in neither protocol, the error names both, and allows another attempt."""
    with MbimModem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as modem:
        modem.once(executed=False, lost=True)
        with pytest.raises(CardUnreachable, match="neither in QMI nor in MBIM") as caught:
            ask_protocol(modem.path, deadline=soon())
        assert caught.value.retryable


ASK = """
import fcntl, os, sys
from lpad.base.deadline import Deadline
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.card.port.port_protocol_query import ask_protocol
from lpad.card.qmi.qmi_link import open_qmi_link
port, *how = sys.argv[1:]
deadline = Deadline.after(60)
user = next((each for each in how if each in ("mbim", "qmi")), None)
if user:
    link = {"mbim": open_mbim_link, "qmi": open_qmi_link}[user](port)
    print(link.imei(deadline=deadline))
if "locked" in how:  # so that lpad cannot open the port itself
    lock = os.open(port, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(lock, fcntl.LOCK_EX)
print(ask_protocol(port, deadline=deadline, sees_all="root" in how).value)
"""


@pytest.mark.programs("mbimcli", "qmicli")
@pytest.mark.parametrize("kind", ["mbim", "qmi"])
def test_an_unprivileged_lpad_asks_through_the_proxy_that_runs(kind: str, tmp_path: Path) -> None:
    """Without privileges, lpad asks through the running proxy, instead of becoming a second reader."""
    modem = MbimModem if kind == "mbim" else QmiModem
    with modem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as port, ProxyNamespace(f"{kind}-proxy") as space:
        ours = space.run(sys.executable, "-c", ASK, port.path, "locked")
        assert ours.stdout.split() == [kind.upper()], ours.stderr


@pytest.mark.programs("mbimcli", "qmicli")
@pytest.mark.parametrize("kind", ["mbim", "qmi"])
def test_a_proxy_that_has_the_port_states_its_protocol(kind: str, tmp_path: Path) -> None:
    """If another program uses the port through a proxy, lpad knows the protocol without asking the modem."""
    modem = MbimModem if kind == "mbim" else QmiModem
    with modem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as port, ProxyNamespace(f"{kind}-proxy") as space:
        ours = space.run(sys.executable, "-c", ASK, port.path, kind, "locked", "root")
        assert ours.stdout.split() == [str(IMEI), kind.upper()], ours.stderr
        if isinstance(port, QmiModem):
            assert questions(port) == 0
        else:
            assert sum(isinstance(each, Open) for each in port.received) == 1


@pytest.mark.programs("mbimcli", "qmicli")
@pytest.mark.parametrize(("kind", "proxy", "how"), [("mbim", "qmi", ["root"]), ("qmi", "mbim", [])], ids=str)
def test_a_proxy_for_another_modem_is_passed_over(
    kind: str, proxy: str, how: list[str], tmp_path: Path
) -> None:
    """If a running proxy does not have this port, or cannot use it, lpad asks the modem itself."""
    modem = MbimModem if kind == "mbim" else QmiModem
    with modem(ScriptedCard(), path=tmp_path / "cdc-wdm0") as port, ProxyNamespace(f"{proxy}-proxy") as space:
        ours = space.run(sys.executable, "-c", ASK, port.path, *how)
        assert ours.stdout.split() == [kind.upper()], ours.stderr


def test_the_name_of_a_qmi_port_is_enough(tmp_path: Path) -> None:
    """If a WWAN port's name contains QMI, lpad does not ask the modem."""
    with QmiModem(ScriptedCard(answers={GET_EID: EID}), path=tmp_path / "wwan0qmi0") as modem:
        port = ModemPort(path=modem.path)
        assert port.transport == f"QMI modem on {modem.path}"
        link = port.way(memory=None, folder=None, watch=PortWatch()).open_link(soon())
        assert link.imei(deadline=soon()) == IMEI
        link.close()
        assert questions(modem) == 0


def test_control_ports_are_listed(tmp_path: Path) -> None:
    """MBIM and QMI ports are listed together with AT ports; other devices are not listed."""
    for name in ("cdc-wdm0", "wwan0mbim0", "wwan0qmi0", "ttyUSB0", "wwan0"):
        (tmp_path / name).touch()
    found = find_ports(deadline=soon(), devices=tmp_path).serial
    assert [each.removeprefix(f"{tmp_path}/") for each in found] == [
        "cdc-wdm0",
        "ttyUSB0",
        "wwan0mbim0",
        "wwan0qmi0",
    ]
