"""The bench's own SM-DP+, for cards with a test CI, which has unlimited orders and can simulate faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.identifiers import Eid, Iccid
from lpad.cli.simulated.order_creation import add_order
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.saip import parse
from lpad.simulator.smdp.functions.faults import TlsIdentity
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.profile_metadata import Owner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hil.bench_file.bench_file import BenchFile, Server
    from lpad.simulator.smdp.functions.faults import Fault
    from lpad.simulator.smdp.store.profile_metadata import ProfilePolicyRule
    from lpad.simulator.smdp.store.received_notifications import Notification

_CONFIRMATION_CODE = "0012"
_TEST_NETWORK = "00101"
"""The MCC and MNC (ITU-T E.212) of the owner of a made-up profile with policy rules."""


@dataclass(slots=True)
class OwnOrder:
    """An order at the bench's own server, with a lease's interface although orders are unlimited."""

    code: str
    default_smdp: str | None
    confirmation_code: str | None
    expendable: bool = True

    def spend(self) -> str | None:
        """Return the activation code; None if the order waits at the default SM-DP+."""
        return None if self.default_smdp is not None else self.code

    def give_back(self) -> None:
        """Do nothing, because orders are unlimited."""


class OwnServer:
    """A simulated SM-DP+ on this machine, which runs while a place is in use."""

    def __init__(self, file: BenchFile, section: Server, *, folder: Path) -> None:
        """Create the server; `start` starts it.

        Args:
            file: the bench file; paths in it may be relative to the file's folder.
            section: the server's section of the bench file.
            folder: the folder for the server's data.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        certificates = file.resolve(section.certificates)
        self._server = SmDp(folder / "smdp", pki=Pki.open(certificates, minted=folder / "minted"))
        self._profile = file.resolve(section.profile).read_bytes() if section.profile is not None else None

    @property
    def address(self) -> str:
        """The server's address, with its port."""
        return self._server.address

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """The notifications that cards have sent."""
        return self._server.notifications

    def start(self) -> None:
        """Start the server."""
        self._server.start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    def order(
        self,
        eid: str,
        *,
        confirmation: bool = False,
        default: bool = False,
        iccid: str | None = None,
        policy_rules: Sequence[ProfilePolicyRule] = (),
    ) -> OwnOrder:
        """Add and return an order.

        Args:
            eid: the EID of the only card that may use the order, if the order waits at the default SM-DP+.
            confirmation: whether the order requires a confirmation code.
            default: whether the server finds the order by the EID alone.
            iccid: the ICCID of the made-up profile; None: any. The lab's own profile package already has an
                ICCID.
            policy_rules: the profile's policy rules; a profile with rules names its owner.
        """
        order = add_order(
            self._server.orders,
            upp=self._profile,
            iccid=Iccid.parse(iccid) if iccid is not None and self._profile is None else None,
            name="Bench",
            provider="lpad",
            matching_id="" if default else None,
            eid=Eid.parse(eid) if default else None,
            confirmation_code=_CONFIRMATION_CODE if confirmation else None,
            metadata={"rules": tuple(policy_rules), "owner": self._owner()} if policy_rules else None,
        )
        return OwnOrder(
            code=order.activation_code(self._server.address, self._server.oid),
            default_smdp=self._server.address if default else None,
            confirmation_code=_CONFIRMATION_CODE if confirmation else None,
        )

    def _owner(self) -> Owner:
        """Return the owner in the profile's files; a card refuses any other owner (SGP.22 v2.5, 5.5.3)."""
        if self._profile is None:
            return Owner(_TEST_NETWORK)
        found = parse(self._profile)
        groups = (None if group is None else group.hex() for group in (found.gid1, found.gid2))
        return Owner((found.imsi or _TEST_NETWORK)[:5], *groups)

    def do_wrong(self, *faults: Fault) -> None:
        """Add faults to the next requests."""
        for fault in faults:
            self._server.faults.add(fault)

    def do_right(self) -> None:
        """Remove all faults, and present the valid certificate again."""
        self._server.faults.clear()
        self._server.show(TlsIdentity.GOOD)

    def show(self, identity: TlsIdentity) -> None:
        """Present the certificate of an identity to clients that connect from now on."""
        self._server.show(identity)
