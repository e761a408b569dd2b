"""The simulated card's folder: kept, locked, and consistent after any loss of power; faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardBusy, InvalidValue
from lpad.base.identifiers import Eid
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.euicc.chip.faults import PowerLost
from lpad.simulator.euicc.isdr.installation_checks import Reason
from lpad.simulator.pki.pki import Pki
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.profile_package.saip import parse
from simulator.euicc.small_lpa import SmallLpa, StatusError
from simulator.euicc.small_server import ICCID, OTHER_ICCID, SmallServer, final_result, metadata

if TYPE_CHECKING:
    from simulator.euicc.conftest import MakeCard

TESTS = Path(__file__).parents[2]


def test_a_cards_data_survive_its_process(make_card: MakeCard, server: SmallServer) -> None:
    """A card that is opened again from its folder has the same data."""
    lpa = SmallLpa(make_card())
    server.download(lpa)
    lpa.enable(bytes(ICCID))
    asked = {"iccid": bytes(ICCID), "profileNickname": "Nick"}
    lpa.call("SetNicknameRequest", asked, "SetNicknameResponse")
    asked = {"defaultDpAddress": "smdp.example.com"}
    lpa.call("SetDefaultDpAddressRequest", asked, "SetDefaultDpAddressResponse")
    before = (
        lpa.profiles(),
        lpa.retrieve(),
        lpa.command("BF3C00"),
        lpa.command("BF2200"),
        lpa.command("BF4300"),
    )
    package = lpa.card.profiles[0].package
    lpa = SmallLpa(make_card())
    after = (
        lpa.profiles(),
        lpa.retrieve(),
        lpa.command("BF3C00"),
        lpa.command("BF2200"),
        lpa.command("BF4300"),
    )
    assert before == after
    assert lpa.card.profiles[0].package == package
    assert lpa.card.profiles[0].nickname == "Nick"


def test_a_card_keeps_its_certificates(tmp_path: Path, server: SmallServer, pki: Pki) -> None:
    """A card that is opened again needs no PKI, and ignores a PKI that is passed."""
    SoftCard(tmp_path / "card", pki=pki).close()
    with SoftCard(tmp_path / "card") as card:
        assert server.download(SmallLpa(card))[0] == "successResult"
    with SoftCard(tmp_path / "card", pki=Pki.open(tmp_path / "other")) as card:
        assert server.authenticate(SmallLpa(card))[0] == "authenticateResponseOk"


def test_a_card_is_powered_only_once(tmp_path: Path, pki: Pki) -> None:
    """A card's folder can be opened only once at a time, and again after it was closed."""
    with SoftCard(tmp_path, pki=pki), pytest.raises(CardBusy, match="in use"):
        SoftCard(tmp_path, pki=pki)
    SoftCard(tmp_path, pki=pki).close()


def test_a_folder_without_a_card_is_reported_and_released(tmp_path: Path, pki: Pki) -> None:
    """Each reason why a card's folder cannot be opened has its error."""
    with pytest.raises(InvalidValue, match="nor a PKI"):
        SoftCard(tmp_path)
    SoftCard(tmp_path, pki=pki).close()
    with pytest.raises(InvalidValue, match="another EID"):
        SoftCard(tmp_path, eid=Eid("8" * 32))
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(InvalidValue, match="not a simulated card's state"):
        SoftCard(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match="cannot store"):
        SoftCard(tmp_path / "file" / "card", pki=pki)


def test_missing_keys_are_reported(tmp_path: Path, pki: Pki) -> None:
    """If keys are missing in a card's folder, the error states this."""
    SoftCard(tmp_path, pki=pki).close()
    for key in (tmp_path / "credentials").glob("EUM*"):
        key.unlink()
    with pytest.raises(InvalidValue, match="lost its keys"):
        SoftCard(tmp_path)


class _NoMorePower(BaseException):
    """Raised in place of a write, to end the test's code there as a loss of power would."""


@pytest.fixture
def failing_disk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list whose number selects the write, from 1, at which _NoMorePower is raised."""
    left = [-1]
    synced, replaced = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        _count(left)
        synced(descriptor)

    def replace(self: Path, target: Path) -> Path:
        _count(left)
        return replaced(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return left


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] == 0:
        raise _NoMorePower


def live(lpa: SmallLpa, pki: Pki) -> None:
    """Download two profiles, switch and delete, which includes every kind of write."""
    SmallServer(pki).download(lpa)
    lpa.enable(bytes(ICCID))
    second = SmallServer(pki, metadata=metadata(OTHER_ICCID), package=made_up_profile(OTHER_ICCID))
    second.download(lpa)
    lpa.enable(bytes(OTHER_ICCID))
    lpa.delete(bytes(ICCID))


def check_whole(card: SoftCard, pki: Pki) -> None:
    """Check that profiles, files and notifications agree, and that a download succeeds."""
    for profile in card.profiles:
        assert parse(profile.package).header_iccid == profile.iccid
    kept = {path.name for path in (card._folder.path / "profiles").glob("*")}
    assert kept == {f"{profile.iccid}.der" for profile in card.profiles}
    assert sum(profile.enabled for profile in card.profiles) <= 1
    numbers = [one.number for one in card.notifications]
    assert numbers == sorted(set(numbers))
    lpa = SmallLpa(card)
    for profile in card.profiles:
        lpa.disable(bytes(profile.iccid))
        assert lpa.delete(bytes(profile.iccid)) == 0
    assert SmallServer(pki).download(lpa)[0] == "successResult"


def test_power_lost_at_any_write(tmp_path: Path, pki: Pki, failing_disk: list[int]) -> None:
    """After a loss of power at any write, the card is consistent; interrupted installations are notified."""
    moment = 0
    interrupted = 0
    lost = True
    while lost:
        moment += 1
        folder = tmp_path / str(moment)
        failing_disk[0] = -1
        card = SoftCard(folder, pki=pki)
        failing_disk[0] = moment
        try:
            live(SmallLpa(card), pki)
            lost = False
        except _NoMorePower:
            pass
        failing_disk[0] = -1
        card._folder.close()
        with SoftCard(folder) as again:
            for one in again.notifications:
                kind, value = final_result(one.signed) if one.signed[0] == 0xBF else ("", {})
                interrupted += kind == "errorResult" and value["errorReason"] == Reason.INTERRUPTION
            check_whole(again, pki)
    assert moment > 20
    assert interrupted > 5


def test_power_lost_while_made(tmp_path: Path, pki: Pki, failing_disk: list[int]) -> None:
    """If the power fails while a card is made, opening its folder makes a consistent card."""
    for moment in range(1, 20):
        folder = tmp_path / str(moment)
        failing_disk[0] = moment
        with pytest.raises(_NoMorePower):
            SoftCard(folder, pki=pki)
        failing_disk[0] = -1
        with SoftCard(folder, pki=pki) as card:
            check_whole(card, pki)


def test_a_killed_card_is_consistent(tmp_path: Path, pki: Pki) -> None:
    """After its process was killed, a card can be opened and is consistent."""
    assert pki.minted is not None
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from lpad.simulator.euicc.card import SoftCard\n"
        "from lpad.simulator.pki.pki import Pki\n"
        "from simulator.euicc.small_lpa import SmallLpa\n"
        "from simulator.euicc.test_power import live\n"
        "pki = Pki.open(Path(sys.argv[3]))\n"
        "card = SoftCard(Path(sys.argv[2]), pki=pki)\n"
        "lpa = SmallLpa(card)\n"
        "while True:\n"
        "    print('lap', flush=True)\n"
        "    live(lpa, pki)\n"
        "    lpa.reset_memory(0)\n"
        "    card.reset(); lpa.open()\n"
    )
    command = [sys.executable, "-c", program, str(TESTS), str(tmp_path / "card"), str(pki.minted)]
    for laps in (1, 2, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(laps):
                assert process.stdout.readline() == "lap\n"
            process.send_signal(signal.SIGKILL)
        with SoftCard(tmp_path / "card") as card:
            check_whole(card, pki)


def test_a_fault_replaces_or_changes_an_answer(lpa: SmallLpa) -> None:
    """A fault replaces a function's answer by bytes, a code, a status word or a changed answer."""
    faults = lpa.card.faults
    faults.answer(0xBF3E, bytes.fromhex("BF3E00"))
    assert lpa.command("BF3E035C015A").hex() == "bf3e00"
    assert lpa.command("BF3E035C015A")[-16:] == bytes(lpa.card.eid)
    faults.refuse(0xBF31, 5)
    assert lpa.enable(bytes(ICCID)) == 5
    assert lpa.enable(bytes(ICCID)) == 1
    faults.status(0xBF20, 0x6F00, times=2)
    for _ in range(2):
        with pytest.raises(StatusError, match="6F00"):
            lpa.command("BF2000")
    assert lpa.command("BF2000")
    faults.corrupt(0xBF2E, lambda answer: answer[:-1])
    assert len(lpa.command("BF2E00")) == 20
    assert len(lpa.command("BF2E00")) == 21
    faults.corrupt(0xBF2E, lambda answer: 0x6F00 + len(answer))
    with pytest.raises(StatusError, match="6F15"):
        lpa.command("BF2E00")


def test_fault_while_loading(lpa: SmallLpa, server: SmallServer) -> None:
    """If a segment was refused by a fault, an installation from the first segment on succeeds."""
    server.authenticate(lpa)
    server.prepare(lpa)
    lpa.card.faults.status(0xBF36, 0x6985)
    segments = server.segments(bytes(lpa.card.eid))
    with pytest.raises(StatusError, match="6985"):
        lpa.command(segments[0])
    for segment in segments:
        answer = lpa.command(segment)
    assert final_result(answer)[0] == "successResult"


@pytest.mark.parametrize("executed", [False, True])
def test_power_lost_at_apdu(lpa: SmallLpa, executed: bool) -> None:  # noqa: FBT001 - a table's column
    """The power fails before or after the chosen APDU is carried out; a reset restores the card."""
    lpa.card.faults.lose_power_after(1, executed=executed)
    address = bytes.fromhex("BF3F068004") + b"addr"
    assert lpa.card.transmit(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"
    with pytest.raises(PowerLost):
        lpa.command(address)
    with pytest.raises(PowerLost):
        lpa.card.transmit(bytes.fromhex("00A4000C023F00"))
    assert lpa.card.open_channels == ()
    lpa.card.reset()
    lpa.open()
    assert (lpa.command("BF3C00").find(b"addr") > 0) is executed


def test_behaviour_from_dict() -> None:
    """CardBehaviour.from_dict reads values of JSON's types."""
    told = {
        "answers": "6Cxx",
        "channels": 19,
        "verification_curves": ["BRP"],
        "rat": [{"pprs": [1], "operators": [{"mcc_mnc": "26202", "gid1": None}], "consent": False}],
    }
    behaviour = CardBehaviour.from_dict(told)
    assert behaviour.answers == "6Cxx"
    assert behaviour.rat[0].operators[0].gid1 is None
    assert CardBehaviour.from_dict({}) == CardBehaviour()


@pytest.mark.parametrize(
    "wrong",
    [
        {"unheard": 1},
        {"channels": "three"},
        {"channels": 20},
        {"first_channel": 0},
        {"portion": 0},
        {"answers": "69xx"},
    ],
)
def test_a_wrong_behaviour_is_refused(wrong: dict[str, object]) -> None:
    """A behaviour with an unknown name, a wrong type or a value out of range is refused."""
    with pytest.raises(InvalidValue):
        CardBehaviour.from_dict(wrong)
