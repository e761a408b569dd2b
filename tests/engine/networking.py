"""A lab whose card is in a modem with network settings, and an applier whose answers a test defines."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.guarding import guarding, port
from engine.lab import FIRST, SECOND, Lab
from lpad.engine.change.change import Kind
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.network.applier_interface import Applied, Connection, Failed, TryAgain
from lpad.network.at_applier import AtApplier
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import NetworkSettings
from lpad.network.network_settings_choice import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import Outcome, Wanted
    from lpad.simulator.pki.pki import Pki

_POLICY = {"on_failure", "patterns", "hooks", "limit"}
NO = Failed(layer=Layer.MODEM, told="no")
NOT_YET = TryAgain(layer=Layer.MODEM, told="not yet", after=3600)
PATTERNS = (
    Pattern(iccid=FIRST, settings=NetworkSettings(apn="first.example")),
    Pattern(iccid=SECOND, settings=NetworkSettings(apn="second.example")),
)


@dataclass
class Spy:
    """An applier that records its calls, and gives the test's answers."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, list[Outcome]] = field(default_factory=dict)
    name = "at"
    reconnects = False
    signals = ()

    def _note(self, step: str, iccid: str) -> Outcome:
        self.asked.append((step, iccid))
        left = self.answers.get(step, [])
        return left.pop(0) if left else Applied(told="done", memory={"x": "y"} if step == "prepare" else {})

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        return self._note("prepare", wanted.iccid)

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        return self._note("apply", wanted.iccid)

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        return self._note("connect", wanted.iccid)

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        return self._note("verify", wanted.iccid)

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
        return self._note("undo", wanted.iccid)

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:
        return self._note("forget", iccid)

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        return Connection()


@contextmanager
def networking(folder: Path, pki: Pki, applier: Any = None, **habits: Any) -> Iterator[Lab]:
    """Yield a lab with two profiles, the first enabled; without another applier, its APN is in the modem."""
    more: dict[str, Any] = {name: habits.pop(name) for name in _POLICY & habits.keys()}
    with guarding(folder, pki, **habits) as lab:
        chosen: dict[str, Any] = {"patterns": PATTERNS, "limit": 5.0, **more}
        policy = NetworkPolicy(applier=applier or AtApplier(), **chosen)
        networked = replace(port(lab), network=policy)
        lab.engine.become([networked])
        lab._ports = (networked,)  # The engine's next start uses these ports.
        if applier is None:
            change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
            assert change.error is None, change.error
        lab.modem.received.clear()
        yield lab


def apn(lab: Lab) -> str:
    return lab.modem.contexts[1][1]
