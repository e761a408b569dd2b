"""The rig itself, and NetworkManager's own behaviour, on which docs/network.md relies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from debian_daemons.rig import Rig

pytestmark = pytest.mark.programs("NetworkManager", "ModemManager", "/usr/lib/polkit-1/polkitd", "unshare")

A, B = "8988211000000000001", "8988211000000000002"


def test_the_connection_with_the_cards_sim_id_is_dialled(rig_of: Callable[..., Rig]) -> None:
    """With one connection for each profile, NetworkManager follows the card to another APN without lpad."""
    rig = rig_of(A)
    for name, iccid in (("a", A), ("b", B)):
        rig.keyfile(
            name,
            connection={"id": name, "type": "gsm", "uuid": f"{name * 8}-1111-4111-8111-111111111111"},
            gsm={"apn": f"{name}.example", "sim-id": iccid},
        )
    first = rig.modem_path()
    rig.start_network_manager()
    rig.front.wait_for(lambda: "a.example" in rig.front.dialled())
    rig.switch(B)
    assert (first[-2:], rig.modem_path()[-2:]) == ("/0", "/1")
    rig.front.wait_for(lambda: rig.front.dialled()[-1:] == ["b.example"])
