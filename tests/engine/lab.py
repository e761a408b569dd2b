"""A simulated card in a modem, a server, and an engine between them, all in one folder."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec
from msgspec.structs import replace

from card.csim_line import open_csim_link
from lpad.base.deadline import Deadline
from lpad.base.errors import NotFound
from lpad.base.identifiers import Iccid
from lpad.engine.change.change import Kind
from lpad.engine.change.types_by_kind import KINDS
from lpad.engine.engine import Engine
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.journal import Journal
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.policy.provisioning import DEFAULT_SMDP, ProvisioningPolicy
from lpad.engine.provisioning.platforms import Platforms
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.running.metric_counters import Counters
from lpad.engine.running.operation_context import Timeouts
from lpad.engine.snapshot.snapshot import CardState
from lpad.remote.es9plus import Es9Plus
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.clocks import Clocks
    from lpad.base.server_address import ServerAddress
    from lpad.engine.change.change import Change
    from lpad.engine.change.params import Params
    from lpad.engine.journal import StoredNotification
    from lpad.remote.trust.anchor_named_by_card import CardTrust
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.modem.personality import ModemPersonality
    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.store.order import Order
    from lpad.simulator.smdp.store.profile_metadata import ProfilePolicyRule

_T = TypeVar("_T")

CARD = "modem"
FIRST = "8900101000000000017"
SECOND = "8900101000000000025"
LONG = 120.0
"""Seconds for which a test waits at most."""
FROM_DEFAULT_SMDP = ProvisioningPolicy(on_empty=(DEFAULT_SMDP,))


def params_of(kind: Kind, **fields: object) -> Params:
    """Return the request of a kind for given parameters."""
    return msgspec.convert(fields, KINDS[kind].params)


def result_of(change: Change) -> dict[str, Any]:
    """Return a change's result as the API shows it; empty if there is none."""
    shown: dict[str, Any] | None = msgspec.json.decode(msgspec.json.encode(change.result))
    return shown or {}


class Lab:
    """An engine with its card, modem and server; a context manager that stops all of them."""

    def __init__(
        self,
        folder: Path,
        pki: Pki,
        *,
        behaviour: CardBehaviour | None = None,
        personality: ModemPersonality | None = None,
        port: int = 0,
    ) -> None:
        self.folder = folder
        self.pki = pki
        # These timeouts are long enough for a busy machine; `patient` replaces them.
        self.timeouts = Timeouts(open=LONG, read=LONG, switch=LONG, answer=LONG, delivery=5)
        self.counters = Counters()
        self._stack = ExitStack()
        self.card = self._stack.enter_context(SoftCard(folder / "card", pki=pki, behaviour=behaviour))
        self.modem = self._stack.enter_context(
            PtyModem(self.card, path=folder / "tty", personality=personality)
        )
        self.server = self._stack.enter_context(SmDp(folder / "smdp", pki=pki, port=port))
        self.trust = Trust([credential.der for credential in pki.ci.values()], use_system_roots=False)
        self.environment = Environment()
        self.policies = Policies()
        self.platforms = Platforms()
        self.clocks: Clocks | None = None
        """The device's clocks, if a test sets them."""
        self._engine: Engine | None = None
        self._ports: tuple[CardPort, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    @property
    def engine(self) -> Engine:
        """The engine, started when it is first used."""
        if self._engine is None:
            self.start()
        assert self._engine is not None
        return self._engine

    @property
    def port(self) -> CardPort:
        path = str(self.folder / "tty")
        return CardPort(
            name=CARD,
            transport="AT+CSIM",
            open_link=lambda _deadline: open_csim_link(path),
            observe=partial(self.counters.apdu, CARD),
        )

    def journal(self) -> Journal:
        clock = self.clocks.clock() if self.clocks is not None else None
        return Journal(self.folder / "journal.db", clock=clock)

    def start(self, *ports: CardPort) -> Engine:
        """Start and return an engine on the folder's journal, with the given ports or those of last time."""
        self._ports = ports or self._ports or (self.port,)
        self._engine = Engine(
            self._ports,
            journal=self.journal(),
            connect=self._connect,
            timeouts=self.timeouts,
            counters=self.counters,
            environment=self.environment,
            policies=self.policies,
            platforms=self.platforms,
        )
        self._engine.start()
        return self._engine

    def stop(self) -> None:
        """Stop the engine as SIGTERM does; the card and the server stay."""
        if self._engine is not None:
            self._engine.stop(deadline=Deadline.after(LONG))
            self._engine = None

    def patient(self, **seconds: float) -> None:
        """Set other timeouts before the engine starts."""
        self.timeouts = replace(self.timeouts, **seconds)

    def order(
        self,
        *,
        iccid: str = FIRST,
        name: str = "First",
        size: int = 1500,
        rules: tuple[ProfilePolicyRule, ...] = (),
        metadata: ProfileMetadata | None = None,
        **details: object,
    ) -> Order:
        profile = made_up_profile(Iccid.parse(iccid), name=name, size=size)
        meta = metadata or ProfileMetadata(iccid=iccid, name=name, rules=rules)
        return self.server.orders.add_order(profile, metadata=meta, **details)  # type: ignore[arg-type]  # passed on

    def code(self, order: Order) -> str:
        return order.activation_code(self.server.address, self.server.oid)

    def submit(self, kind: Kind, *, secrets: dict[str, str] | None = None, **params: object) -> Change:
        return self.engine.submit(CARD, params_of(kind, **params), secrets=secrets).change

    def carry_out(self, kind: Kind, *, secrets: dict[str, str] | None = None, **params: object) -> Change:
        """Submit a change and return it once it has ended."""
        return self.ended(self.submit(kind, secrets=secrets, **params).id)

    def install(self, *, retry_for: float | None = None, **order: object) -> str:
        """Download a profile and return its ICCID."""
        made = self.order(**order)  # type: ignore[arg-type]  # passed on
        code = self.code(made)
        change = self.carry_out(Kind.DOWNLOAD, secrets={"activation_code": code}, retry_for=retry_for)
        assert change.error is None, change.error
        self.until_true(self.settled)
        return str(result_of(change)["iccid"])

    def settled(self) -> bool:
        """Return whether each server got its first notification, and accepted ones have left the card."""
        first: dict[str, StoredNotification] = {}
        stored = self.engine.card(CARD).notifications()
        for each in stored:
            if each.unsent:
                first.setdefault(each.address, each)
        tried = all(each.attempts for each in first.values())
        return tried and not self.copying() and not any(each.removable for each in stored)

    def ended(self, change_id: int) -> Change:
        """Return a change once it has ended and its notifications are copied, or the card is away."""
        change = self.until(lambda: self.engine.change(change_id), lambda change: change.state.ended)
        self.until_true(lambda: not self.copying(change.euicc))
        return change

    def copying(self, euicc: str = CARD) -> bool:
        """Return whether a card that is ready still has notifications to be copied."""
        try:
            snapshot = self.engine.snapshot(euicc)
        except NotFound:
            return False
        return snapshot.state is CardState.READY and self.engine.card(euicc).owes_copies()

    def asked(self, change_id: int) -> Change:
        """Return the change once it asks a question or has ended."""
        return self.until(
            lambda: self.engine.change(change_id),
            lambda change: change.question is not None or change.state.ended,
        )

    def until(self, look: Callable[[], _T], good: Callable[[_T], bool]) -> _T:
        """Return an observed value once it satisfies a condition, which is checked after each event."""
        news = threading.Event()
        subscription = self.engine.subscribe(news.set)
        deadline = Deadline.after(LONG)
        try:
            while True:
                news.clear()
                seen = look()
                if good(seen):
                    return seen
                assert news.wait(deadline.remaining()), f"nothing more happened: {seen}"
        finally:
            subscription.close()

    @staticmethod
    def until_true(holds: Callable[[], bool]) -> None:
        """Wait for a condition that is not an event of the engine."""
        deadline = Deadline.after(LONG)
        while not holds():
            assert not deadline.passed, "waited without success"
            threading.Event().wait(0.02)

    def _connect(self, address: ServerAddress, card: CardTrust) -> Es9Plus:
        return Es9Plus(address, trust=self.trust, card=card, observe=self.counters.server)
