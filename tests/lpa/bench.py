"""A simulated card and a simulated SM-DP+, between which lpad's code downloads profiles."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.activation_code import ActivationCode
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled
from lpad.base.identifiers import Iccid, Imei
from lpad.base.server_address import ServerAddress
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.codec.messages.authentication import DeviceCapabilities, DeviceInfo, release
from lpad.lpa.download import Decision, Download, Installed, Order
from lpad.lpa.euicc import Euicc
from lpad.protocol.download_state_table import Step
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lpad.lpa.download import Offer
    from lpad.lpa.owner_install_policy import InstallPolicy
    from lpad.remote.trust.trust_anchors import Trust
    from lpad.simulator.euicc.card import SoftCard
    from lpad.simulator.smdp.server import SmDp
    from lpad.simulator.smdp.store.order import Order as ServersOrder

ICCID = "8900012345678901234"
OTHER_ICCID = "8900012345678905678"
IMEI = Imei.parse("352906110123454")
DEVICE = DeviceInfo(
    tac=IMEI.tac,
    capabilities=DeviceCapabilities(gsm=release(5), utran=release(8), eutran_epc=release(15)),
    imei=IMEI,
)
GOOD_WAY = [
    Step.GET_EUICC_INFO1,
    Step.GET_EUICC_CHALLENGE,
    Step.INITIATE_AUTHENTICATION,
    Step.AUTHENTICATE_SERVER,
    Step.AUTHENTICATE_CLIENT,
    Step.CONFIRM,
    Step.PREPARE_DOWNLOAD,
    Step.GET_BOUND_PROFILE_PACKAGE,
    Step.LOAD_BOUND_PROFILE_PACKAGE,
]


def soon() -> Deadline:
    return Deadline.after(60)


class Contacts:
    """A raw card and device that passes APDUs directly to a simulated card, and records them."""

    def __init__(self, card: SoftCard) -> None:
        self.card = card
        self.apdus: list[bytes] = []

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        self.apdus.append(apdu)
        return self.card.transmit(apdu)

    def imei(self, *, deadline: Deadline) -> Imei | None:
        return IMEI

    def close(self) -> None:
        pass


@dataclass
class Caller:
    """The listener of a download, which gives prepared answers and records the calls."""

    decision: Decision = Decision.ACCEPT
    codes: list[str | None] = field(default_factory=list)
    cancel_at: Step | None = None
    cancel_after_bytes: int | None = None
    steps: list[Step] = field(default_factory=list)
    progress: list[tuple[int, int]] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    asked: list[bool] = field(default_factory=list)
    owed: list[tuple[str, bytes]] = field(default_factory=list)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if step is self.cancel_at:
            raise Cancelled("taken back")

    def owes_cancellation(self, transaction_id: str, response: bytes) -> None:
        self.owed.append((transaction_id, response))

    def bytes_loaded(self, sent: int, total: int) -> None:
        self.progress.append((sent, total))
        if self.cancel_after_bytes is not None and sent >= self.cancel_after_bytes:
            raise Cancelled("taken back")

    def confirm(self, offer: Offer) -> Decision:
        self.offers.append(offer)
        return self.decision

    def confirmation_code(self, *, refused: bool) -> str | None:
        self.asked.append(refused)
        return self.codes.pop(0) if self.codes else None


class Bench:
    """A card and a server, with methods for orders and downloads."""

    def __init__(self, card: SoftCard, smdp: SmDp, trust: Trust) -> None:
        self.card = card
        self.smdp = smdp
        self.trust = trust
        self.contacts = Contacts(card)

    def order(self, iccid: str = ICCID, *, size: int = 3000, **details: Any) -> ServersOrder:
        metadata = details.pop("metadata", None) or ProfileMetadata(iccid=iccid)
        if details.pop("by_eid", False):
            details["eid"] = self.card.eid
        profile = details.pop("profile", None) or made_up_profile(Iccid.parse(iccid), size=size)
        return self.smdp.orders.add_order(profile, metadata=metadata, **details)

    def code(self, order: ServersOrder) -> ActivationCode:
        return ActivationCode.parse(order.activation_code(self.smdp.address, self.smdp.oid))

    def state(self, order: ServersOrder) -> tuple[str, str | None]:
        now = self.smdp.orders.get(order.id)
        return now.state.value, now.reason

    @contextmanager
    def euicc(self) -> Iterator[Euicc]:
        link = RawLink(self.contacts, device=self.contacts)
        with isdr_session(link, deadline=soon()) as isdr:
            yield Euicc(isdr)
        assert self.card.open_channels == ()

    def server(self, address: str | None = None) -> Es9Plus:
        name = address or self.smdp.address
        hosts = HostOverrides.parse({name: f"127.0.0.1:{self.smdp.port}"})
        return Es9Plus(ServerAddress.parse(name), trust=self.trust, route=Route(hosts))

    def download(
        self,
        order: ServersOrder | Order,
        caller: Caller | None = None,
        *,
        confirmation_code: str | None = None,
        device: DeviceInfo = DEVICE,
        address: str | None = None,
        policy: InstallPolicy | None = None,
    ) -> Installed:
        if not isinstance(order, Order):
            order = Order.from_activation_code(self.code(order), confirmation_code=confirmation_code)
        with self.euicc() as euicc, self.server(address) as server:
            run = Download(euicc, server, order, device=device, listener=caller or Caller(), policy=policy)
            return run.run(deadline=soon())
