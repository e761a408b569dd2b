"""Tries the appliers of network settings with this process's permissions, and prints the outcomes as JSON.

systemd starts this program with the daemon's permissions, and a test starts it as another user.
"""

from __future__ import annotations

import json

from lpad.base.deadline import Deadline
from lpad.network.applier_interface import Wanted
from lpad.network.modemmanager.applier import ModemManagerApplier
from lpad.network.network_settings import Authentication, NetworkSettings
from lpad.network.networkmanager.applier import NetworkManagerApplier

ICCID = "8988211000000000001"
SETTINGS = NetworkSettings(
    apn="iot.example", username="user", password="secret", authentication=Authentication.CHAP
)


def main() -> None:
    wanted = Wanted(eid="89049032000000000000000000000123", iccid=ICCID, settings=SETTINGS)
    network = NetworkManagerApplier()
    tried = {
        "prepare": network.prepare(wanted, deadline=Deadline.after(30)),
        "apply": network.apply(wanted, deadline=Deadline.after(30)),
        "undo": network.undo(wanted, {}, deadline=Deadline.after(30)),
        "connect": network.connect(wanted, deadline=Deadline.after(3)),
        "modemmanager": ModemManagerApplier(connects=True).apply(wanted, deadline=Deadline.after(30)),
    }
    print(json.dumps({name: [type(each).__name__, each.told] for name, each in tried.items()}))


if __name__ == "__main__":
    main()
