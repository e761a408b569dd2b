"""However a change ends, the recorded traffic to the card shows no open channel (openpilot#37271)."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from card.private_pcscd import FIRST, PrivatePcscd, wait_for_cards
from journeys.gate import Gate, enabling, loading
from journeys.gateway import CARD, PATIENCE, Gateway
from journeys.open_channels import ApduLog, left_open_at
from lpad.simulator.personalities import find_personality
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.client import Change
    from lpad.simulator.euicc.card import SoftCard

LINKS = ["plain", "strict-csim", "cgla-number", "cgla-bare-number", "cgla-hex64", "reader"]


@dataclass
class Bench:
    """A gateway whose traffic to the card is recorded, and can be held at an APDU."""

    gateway: Gateway
    gate: Gate
    left_open: Callable[[], set[str]]
    away: Callable[[], None]
    """Remove the port, or the card from its reader, once the held APDU has continued."""
    back: Callable[[], None]

    def held(self, code: str) -> Change:
        """Start a download and hold it in the middle of the profile."""
        self.gate.hold(loading, after=False)
        change = self.gateway.client.download(CARD, activation_code=code)
        assert self.gate.held.wait(PATIENCE)
        assert self.left_open(), "the record lacks the channel that is in use"
        return change

    def tidy(self) -> None:
        """Wait until the record shows no open channel, and check this after the daemon's stop, too."""
        self.gateway.until(lambda: not self.left_open())
        self.gateway.stop()
        assert self.left_open() == set()


@pytest.fixture(params=LINKS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A ready gateway for each kind of link."""
    apdus: list[ApduLog] = []
    gates: list[Gate] = []

    def wrap(card: SoftCard) -> Gate:
        apdus.append(ApduLog(card))
        gates.append(Gate(apdus[0]))
        return gates[0]

    with ExitStack() as stack:
        if request.param == "reader":
            pcscd = stack.enter_context(PrivatePcscd())
            gateway = Gateway(wrap=wrap, euicc={"reader": FIRST})
            card = VirtualReaderCard(gateway.slot, port=pcscd.port)
            stack.enter_context(card)
            wait_for_cards(present={FIRST})
            pull = Thread(target=card.pull, daemon=True)  # Pulling waits until the card has answered.

            def insert() -> None:
                pull.join()
                card.insert()

            made = Bench(gateway, gates[0], apdus[0].left_open, pull.start, insert)
        else:
            personality = find_personality(request.param)
            gateway = Gateway(wrap=wrap, personality=personality.modem)
            modem = gateway.modem
            away = partial(modem.vanish, wait=False)
            made = Bench(gateway, gates[0], lambda: left_open_at(modem.log), away, modem.come_back)
        stack.enter_context(gateway)
        gateway.ready()
        yield made


def test_successful_changes_leave_no_channel_open(bench: Bench, profile: Callable[[], bytes]) -> None:
    """A successful download, switch and deletion leave no channel open."""
    client = bench.gateway.client
    result = bench.gateway.download(bench.gateway.order(profile())).check().result or {}
    client.enable(CARD, str(result["iccid"]), wait=PATIENCE).check()
    client.disable(CARD, str(result["iccid"]), accept_offline=True, wait=PATIENCE).check()
    client.delete(CARD, str(result["iccid"]), wait=PATIENCE).check()
    bench.tidy()


@pytest.mark.parametrize("kind", [FaultKind.BPP_BIT_FLIP, FaultKind.HTTP_STATUS, FaultKind.DROP_BEFORE])
def test_failed_downloads_leave_no_channel_open(
    bench: Bench, profile: Callable[[], bytes], kind: FaultKind
) -> None:
    """A download that fails because of the card, the server or the network leaves no channel open."""
    value = {FaultKind.BPP_BIT_FLIP: 3, FaultKind.HTTP_STATUS: 404}.get(kind)
    bench.gateway.server.faults.add(Fault(function="getBoundProfilePackage", kind=kind, value=value, times=9))
    assert bench.gateway.download(bench.gateway.order(profile())).state == "failed"
    bench.tidy()


def test_a_cancelled_download_leaves_no_channel_open(bench: Bench, profile: Callable[[], bytes]) -> None:
    """A download that is cancelled while the profile is sent leaves no channel open."""
    change = bench.held(bench.gateway.order(profile()))
    bench.gateway.client.cancel(change.id)
    bench.gate.go_on()
    bench.gateway.client.wait(change.id, seconds=PATIENCE)
    bench.tidy()


def test_a_terminated_daemon_closes_its_channels(bench: Bench, profile: Callable[[], bytes]) -> None:
    """On SIGTERM while a profile is sent to the card, the daemon closes its channels before it ends."""
    bench.held(bench.gateway.order(profile()))
    process = bench.gateway.process
    assert process is not None
    process.terminate()
    bench.gate.go_on()
    bench.gateway.stop()
    assert bench.left_open() == set()


def test_killed_while_loading(bench: Bench, profile: Callable[[], bytes]) -> None:
    """If the daemon is killed during a load, the restarted daemon closes the open channels."""
    change = bench.held(bench.gateway.order(profile()))
    bench.gateway.kill()
    bench.gate.go_on()
    bench.gateway.start()
    assert bench.gateway.client.wait(change.id, seconds=PATIENCE).state in ("failed", "done")
    bench.tidy()


@pytest.mark.parametrize("after", [False, True], ids=["before the card acts", "after the card acted"])
def test_killed_while_enabling(bench: Bench, profile: Callable[[], bytes], *, after: bool) -> None:
    """If the daemon is killed just before or after a switch, its channel is closed after the restart."""
    iccid = str((bench.gateway.download(bench.gateway.order(profile())).check().result or {})["iccid"])
    bench.gate.hold(enabling, after=after)
    change = bench.gateway.client.enable(CARD, iccid)
    assert bench.gate.held.wait(PATIENCE)
    assert bench.left_open()
    bench.gateway.kill()
    bench.gate.go_on()
    bench.gateway.start()
    assert bench.gateway.client.wait(change.id, seconds=PATIENCE).state == "done"
    bench.tidy()


def test_a_channel_is_closed_once_its_port_is_back(bench: Bench, profile: Callable[[], bytes]) -> None:
    """If the port or the card disappears during a load, the open channel is closed once it is back."""
    change = bench.held(bench.gateway.order(profile()))  # otherwise it may end too early
    bench.away()
    bench.gate.go_on()
    bench.gateway.until(lambda: bench.gateway.client.change(change.id).pause is not None)
    bench.back()
    assert bench.gateway.client.wait(change.id, seconds=PATIENCE).state == "failed"
    bench.gateway.ready()
    bench.tidy()


def test_an_open_channel_is_found_in_a_log() -> None:
    """The check of an AT log finds open channels, whether opened with +CSIM or +CCHO."""
    csim = ['> AT+CSIM=10,"0070000001"', '< +CSIM: 6,"029000"', "< +CREG: 1", "< OK"]
    assert left_open_at(csim) == {"channel 2"}
    assert left_open_at([*csim, '> AT+CSIM=8,"00708002"', '< +CSIM: 4,"9000"', "< OK"]) == set()
    assert left_open_at([*csim, '> AT+CSIM=8,"00708002"', '< +CSIM: 4,"6F00"', "< OK"]) == {"channel 2"}
    assert left_open_at([*csim, "> AT+CFUN=1,1", "< OK"]) == set()
    cgla = ['> AT+CCHO="A0"', "< 00000000038AA32F", "< OK"]
    assert left_open_at(cgla) == {"handle 00000000038AA32F"}
    assert left_open_at([*cgla, "> AT+CCHC=00000000038AA32F", "< ERROR"]) == {"handle 00000000038AA32F"}
    assert left_open_at([*cgla, "> AT+CCHC=00000000038AA32F", "< OK"]) == set()
    assert left_open_at(['> AT+CCHO="A0"', "< ERROR"]) == set()
