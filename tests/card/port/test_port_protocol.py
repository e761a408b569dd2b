"""The protocol of a port, as sysfs and names state it, and what lpad does with a port of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.card.available_ports import find_ports
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.diagnostics import facts_of
from lpad.card.port.hotplug import PortWatch
from lpad.card.port.port_protocol import PortProtocol, protocol_of
from lpad.card.port_kinds import ModemPort
from lpad.simulator.mbim.control_port import MbimModem

if TYPE_CHECKING:
    from pathlib import Path


def driver(sysfs: Path, device: str, name: str) -> None:
    """Make the links that the kernel makes for a cdc-wdm device."""
    place = sysfs / "class" / "usbmisc" / device / "device"
    place.mkdir(parents=True)
    (sysfs / name).mkdir()
    (place / "driver").symlink_to(sysfs / name)


@pytest.mark.parametrize(
    ("name", "protocol"), [("cdc_mbim", PortProtocol.MBIM), ("qmi_wwan", PortProtocol.QMI)]
)
def test_the_driver_tells(name: str, protocol: PortProtocol, tmp_path: Path) -> None:
    """A cdc-wdm device belongs to the driver of its protocol."""
    driver(tmp_path, "cdc-wdm7", name)
    assert protocol_of("/dev/cdc-wdm7", sysfs=tmp_path) is protocol


@pytest.mark.parametrize("protocol", PortProtocol)
def test_the_type_of_a_wwan_port_tells(protocol: PortProtocol, tmp_path: Path) -> None:
    """A WWAN port has its type in sysfs, whatever its name."""
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
        ("/dev/cdc-wdm3", PortProtocol.MBIM),
        ("/dev/ttyUSB2", PortProtocol.AT),
        ("/dev/serial/by-id/usb-Quectel-if02", PortProtocol.AT),
    ],
)
def test_otherwise_the_name_tells(port: str, protocol: PortProtocol, tmp_path: Path) -> None:
    """Without sysfs a cdc-wdm device is asked by MBIM's Open."""
    assert protocol_of(port, sysfs=tmp_path) is protocol


def test_a_way_leads_through_an_mbim_port(tmp_path: Path) -> None:
    """The path of the port is enough; a Unix socket is a simulated modem's port."""
    for path in ("cdc-wdm0", f"unix:{tmp_path}/mbim"):
        place = path if path.startswith("unix:") else str(tmp_path / path)
        with MbimModem(ScriptedCard(answers={GET_EID: EID}), path=place) as modem:
            port = ModemPort(path=modem.path)
            assert port.transport == f"MBIM modem on {modem.path}"
            way = port.way(memory=None, folder=None, watch=PortWatch())
            link = way.open_link(soon())
            with isdr_session(link, deadline=soon()) as isdr:
                assert isdr.command(GET_EID, deadline=soon()) == EID
            assert facts_of(link).kind == "mbim"
            link.close()
            way.give_back()


def test_a_qmi_port_is_refused_with_a_remedy(tmp_path: Path) -> None:
    """Lpad does not speak QMI, and says what to use in its place."""
    way = ModemPort(path=str(tmp_path / "wwan0qmi0")).way(memory=None, folder=None, watch=PortWatch())
    with pytest.raises(CardUnreachable, match="QMI port, which lpad does not speak") as caught:
        way.open_link(soon())
    assert not caught.value.retryable


def test_mbim_ports_are_listed_and_qmi_ports_are_not(tmp_path: Path) -> None:
    """`lpad probe` lists the ports that it can use."""
    for name in ("cdc-wdm0", "wwan0mbim0", "wwan0qmi0", "ttyUSB0"):
        (tmp_path / name).touch()
    found = find_ports(deadline=soon(), devices=tmp_path).serial
    assert [each.removeprefix(f"{tmp_path}/") for each in found] == ["cdc-wdm0", "ttyUSB0", "wwan0mbim0"]
