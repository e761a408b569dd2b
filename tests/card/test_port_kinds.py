"""Modem ports and readers, as the daemon and `lpad probe` use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import ScriptedCard
from lpad.base.errors import CardUnreachable
from lpad.card.isdr.isdr import isdr_session
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import ModemPort, ReaderPort
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.card.port_kinds import Port


def test_a_modems_port_opens_its_link() -> None:
    """A modem's port opens a link to its card; handing back a port that was not borrowed does nothing."""
    with PtyModem(ScriptedCard(answers={GET_EID: EID})) as modem:
        way = ModemPort(path=modem.path).way(memory=None, folder=None, watch=PortWatch())
        link = way.open_link(soon())
        with isdr_session(link, deadline=soon()) as isdr:
            assert isdr.command(GET_EID, deadline=soon()) == EID
        link.close()
        way.give_back()


@pytest.mark.parametrize("port", [ModemPort(path="/dev/gone"), ReaderPort(reader="no such reader")])
def test_a_port_that_is_not_there_is_named(port: Port, tmp_path: Path) -> None:
    """Opening a missing port or reader raises CardUnreachable; a port's description contains its name."""
    way = port.way(memory=None, folder=tmp_path, watch=PortWatch())
    with pytest.raises(CardUnreachable):
        way.open_link(soon())
    assert port.name in port.transport
    way.give_back()


def test_equal_ports_lead_to_the_same_card_in_the_same_way() -> None:
    """Ports with equal settings compare equal; ports with different settings do not."""
    assert ModemPort(path="x", quirks={"links": ["csim"]}) == ModemPort(path="x", quirks={"links": ["csim"]})
    assert ModemPort(path="x") != ModemPort(path="x", hold=None)
    assert ReaderPort(reader="x") != ReaderPort(reader="x", shared=True)
