"""A lab whose modem registers with some profiles and not with others, for guarded switches."""

from __future__ import annotations

import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.base.identifiers import Iccid
from lpad.card.at.at_link import open_at_link
from lpad.card.link.remembered_links import LinkMemory
from lpad.codec.asn1 import tlv
from lpad.engine.change.change import Kind, State
from lpad.engine.change.guard import Phase
from lpad.engine.policy.switching import NO_POLICY, SwitchPolicy
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.running.change_question_answer import Answer
from lpad.simulator.modem.personality import ModemPersonality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.euicc.chip.behaviour import CardBehaviour
    from lpad.simulator.pki.pki import Pki

THIRD = "8900101000000000033"
_HELD: list[socket.socket] = []
REGISTERED = "registered"
ENABLE = 0xBF31
DISALLOWED = 3

UNHURRIED = 20.0
"""Seconds for each step of the modem's ladder; a step ends as soon as the modem reads the card's profile."""


@contextmanager
def guarding(
    folder: Path,
    pki: Pki,
    *,
    policy: SwitchPolicy = NO_POLICY,
    behaviour: CardBehaviour | None = None,
    patience: float = UNHURRIED,
    notice_in: float | None = None,
    **habits: Any,
) -> Iterator[Lab]:
    """Yield a lab with two profiles, the first of them enabled; its modem has the given habits.

    Reduce `patience` if no step may succeed, or `notice_in` if only the first may not.
    """
    with Lab(folder, pki, behaviour=behaviour, personality=ModemPersonality(**habits)) as lab:
        lab.start(port(lab, policy=policy, steps=ladder(patience, notice_in=notice_in)))
        lab.install()
        lab.install(iccid=SECOND, name="Second")
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert change.error is None, change.error
        lab.modem.received.clear()
        yield lab


def ladder(patience: float = UNHURRIED, *, notice_in: float | None = None) -> list[dict[str, Any]]:
    """Return a refresh ladder of two steps, each of which lasts the given number of seconds."""
    return [
        {"step": "wait", "seconds": patience if notice_in is None else notice_in},
        {"step": "radio-cycle", "down": ["AT+CFUN=0"], "up": ["AT+CFUN=1"], "seconds": patience},
    ]


def port(
    lab: Lab, *, policy: SwitchPolicy = NO_POLICY, steps: list[dict[str, Any]] | None = None
) -> CardPort:
    """Return the lab's modem port, with a short ladder."""
    memory = LinkMemory(lab.folder / "links")
    path = str(lab.folder / "tty")
    overrides = {"refresh_ladder": steps or ladder()}
    return CardPort(
        name=CARD,
        transport="AT",
        open_link=lambda _deadline: open_at_link(path, memory=memory, overrides=overrides),
        policy=policy,
    )


def guarded(lab: Lab, *until: str, within: float = 20.0, iccid: str = SECOND) -> Change:
    """Request a guarded switch, and return the change immediately."""
    return lab.submit(Kind.ENABLE, iccid=iccid, guard={"until": list(until), "within": within})


def ended(lab: Lab, *until: str, within: float = 20.0, iccid: str = SECOND) -> Change:
    """Request a guarded switch, and return the change once it has ended."""
    return lab.ended(guarded(lab, *until, within=within, iccid=iccid).id)


def out_of_time(
    lab: Lab, pass_by: Callable[[float], None], *until: str, seen: str, iccid: str = SECOND
) -> Change:
    """Request a guarded switch, let its time pass once it reports `seen`, and return the ended change."""
    change = guarded(lab, *until, within=600, iccid=iccid)
    told(lab, change, seen)
    pass_by(600)
    return lab.ended(change.id)


def told(lab: Lab, change: Change, seen: str) -> None:
    """Wait until a change's guard reports the given observation."""
    lab.until(
        lambda: lab.engine.change(change.id),
        lambda now: now.guard is not None and seen in now.guard.told(),
    )


def enabled(lab: Lab) -> str | None:
    """Return the ICCID of the card's enabled profile, or None."""
    iccid = lab.card.enabled_iccid
    return None if iccid is None else str(iccid)


def steps(change: Change) -> list[str]:
    return [step.name for step in change.steps]


@contextmanager
def listening() -> Iterator[int]:
    """Listen on a TCP port that a reachability check can reach."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def unused_port() -> int:
    """Return a TCP port without a listener, which no other process gets while this one runs."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the test itself may listen there later
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    port: int = held.getsockname()[1]
    return port


def rolled_back(change: Change) -> dict[str, object]:
    """Assert that a switch was rolled back; return the details of its error."""
    assert change.state is State.FAILED, change
    assert change.error is not None
    assert change.error.kind == "switch-rolled-back", change.error
    return dict(change.error.details)


def watched(lab: Lab, change_id: int) -> Change:
    """Return the change once it waits for its guard."""
    return lab.until(
        lambda: lab.engine.change(change_id),
        lambda change: change.guard is not None and change.guard.phase is not Phase.SWITCHING,
    )


def stuck(lab: Lab) -> Change:
    """Return a guarded switch that left no profile enabled, on a card that refuses each further switch."""
    change = lab.asked(guarded(lab, "confirm", within=60).id)
    lab.card.faults.refuse(ENABLE, DISALLOWED, times=1000)
    disabled_by_another_program(lab, SECOND)
    lab.engine.answer(change.id, Answer(confirm=False))
    change = lab.ended(change.id)
    assert change.error is not None
    assert change.error.kind == "switch-stuck"
    return change


def disabled_by_another_program(lab: Lab, iccid: str) -> None:
    """Leave the card without an enabled profile, as another program would."""
    target = tlv.encode(0xA0, tlv.encode(0x5A, bytes(Iccid.parse(iccid))))
    request = tlv.encode(0xBF32, target + tlv.encode(0x81, b"\x00"))
    lab.card.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))
    lab.card.transmit(bytes([0x80, 0xE2, 0x91, 0x00, len(request)]) + request + b"\x00")
    assert enabled(lab) is None


def deleted_by_another_program(lab: Lab, iccid: str) -> None:
    """Delete a disabled profile without lpad's knowledge."""
    request = tlv.encode(0xBF33, tlv.encode(0x5A, bytes(Iccid.parse(iccid))))
    lab.card.transmit(bytes.fromhex("00A4040010A0000005591010FFFFFFFF8900000100"))
    lab.card.transmit(bytes([0x80, 0xE2, 0x91, 0x00, len(request)]) + request + b"\x00")
    assert iccid not in {str(each.iccid) for each in lab.card.profiles}
