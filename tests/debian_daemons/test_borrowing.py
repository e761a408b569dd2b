"""Borrowing a modem while ModemManager, for NetworkManager, tries to connect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from debian_daemons.rig import CONNECTING, UID, soon, until
from lpad.base.deadline import Deadline
from lpad.dbus.bus import Bus
from lpad.dbus.call_failures import BusUnanswered
from lpad.dbus.modem_inhibition import inhibit

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

ICCID = "8988211000000000001"


def connecting(rig: Rig, *, dialling: float) -> Rig:
    """Have the network reject each of NetworkManager's attempts after `dialling` seconds; return the rig."""
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
    rig.front.wait_for(lambda: bool(rig.front.dialled()))
    assert rig.state() == CONNECTING
    return rig


def test_an_attempt_to_connect_is_aborted(rig_of: Callable[..., Rig]) -> None:
    """Lpad has an attempt to connect aborted before it inhibits the modem, and repeated afterwards."""
    rig = connecting(rig_of(ICCID), dialling=12)
    with rig.inhibited():
        assert rig.state() == 0
        before = len(rig.front.dialled())
    assert rig.modem_path().endswith("/Modem/1")
    rig.front.wait_for(lambda: len(rig.front.dialled()) > before)
    assert rig.managed() is True


def test_an_attempt_that_outlasts_the_wait(rig_of: Callable[..., Rig]) -> None:
    """If a connection attempt outlasts lpad's wait, it has ended when lpad asks for the modem again."""
    rig = connecting(rig_of(ICCID), dialling=6)
    with Bus(deadline=soon()) as bus, pytest.raises(BusUnanswered):
        inhibit(bus, rig.modem_path(), UID, deadline=Deadline.after(1))
    assert rig.managed() is False
    with rig.inhibited():
        assert rig.state() == 0
    until(lambda: rig.managed() is True, "NetworkManager to manage the modem again")


def test_a_modem_that_nobody_asks_for_again(
    rig_of: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If lpad does not ask for the modem again, NetworkManager gets the modem back after a while."""
    monkeypatch.setattr("lpad.dbus.networkmanager_unmanaged_modem.RETURNING", 2)
    rig = connecting(rig_of(ICCID), dialling=6)
    before = len(rig.front.dialled())
    with Bus(deadline=soon()) as bus, pytest.raises(BusUnanswered):
        inhibit(bus, rig.modem_path(), UID, deadline=Deadline.after(1))
    rig.front.wait_for(lambda: len(rig.front.dialled()) > before)
    assert rig.managed() is True
