"""Borrowing a modem while ModemManager, for NetworkManager, tries to connect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import CONNECTING, UID, soon, until
from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.failures import BusUnanswered
from lpad.dbus.modem_inhibition import inhibit

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

ICCID = "8988211000000000001"


def connecting(rig: Rig, *, dialling: float) -> Rig:
    """Have NetworkManager connect the modem, over and over; the network rejects it after some seconds."""
    rig.keyfile(
        "a",
        connection={
            "id": "a",
            "type": "gsm",
            "uuid": "aaaaaaaa-1111-4111-8111-111111111111",
            "autoconnect-retries": "0",
        },
        gsm={"apn": "a.example"},
    )
    rig.front.dialling = dialling
    rig.modem_path()
    rig.start_network_manager()
    until(lambda: rig.state() == CONNECTING, "an attempt to connect")
    return rig


def test_an_attempt_to_connect_is_aborted(rig_of: Callable[..., Rig]) -> None:
    """ModemManager itself gives up after 10 s, and would count the modem as inhibited ever after."""
    rig = connecting(rig_of(ICCID), dialling=12)
    with rig.inhibited():
        assert rig.state() == 0
        before = len(rig.front.dialled())
    assert rig.modem_path().endswith("/Modem/1")
    rig.front.wait_for(lambda: len(rig.front.dialled()) > before)
    assert rig.managed() is True


def test_a_deadline_leaves_nothing_behind(rig_of: Callable[..., Rig]) -> None:
    """If the attempt outlasts the wait, the modem stays NetworkManager's, and can be borrowed later."""
    rig = connecting(rig_of(ICCID), dialling=6)
    with Bus(deadline=soon()) as bus, pytest.raises(BusUnanswered):
        inhibit(bus, rig.modem_path(), UID, deadline=Deadline.after(1))
    until(lambda: rig.managed() is True, "NetworkManager to manage the modem again")
    with rig.inhibited():
        assert rig.state() == 0
