"""The APDU record is complete and private, and a failing record file does not stop the work with the card."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardUnreachable, InvalidSettings
from lpad.base.log.log_fields import logged_with
from lpad.base.log.unmasked_apdu_record import record_apdus, recording
from lpad.card.channel.apdu_trace import TracedCard
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.protocol.apdu import Apdu, Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    record_apdus(None)


def test_the_record_has_every_command_and_answer(tmp_path: Path) -> None:
    """The record has every command and answer, with card and change; only the owner may read the file."""
    path = tmp_path / "apdus"
    record_apdus(path)
    card = TracedCard(ScriptedCard(answers={GET_EID: EID}), name="ttyX")
    with (
        logged_with(euicc="modem", change_id=7),
        isdr_session(RawLink(card, device=BenchDevice()), deadline=soon()) as isdr,
    ):
        isdr.command(GET_EID, deadline=soon())
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert (entries[0]["command"], entries[0]["where"]) == ("0070000001", "ttyX")
    asked = next(each for each in entries if GET_EID.hex().upper() in each["command"])
    assert asked["answer"] == EID.hex().upper() + "9000"
    assert (asked["euicc"], asked["change_id"]) == ("modem", "7")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_card_that_goes_away(tmp_path: Path) -> None:
    """A command without an answer is in the record, marked as unanswered."""

    class Gone(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: object = None) -> bytes:
            raise CardUnreachable("gone")

    record_apdus(tmp_path / "apdus")
    with pytest.raises(CardUnreachable):
        TracedCard(Gone(), name="ttyX").transmit(Apdu(Command(0, 0xA4, 0, 4)), deadline=soon())
    assert json.loads((tmp_path / "apdus").read_text())["answer"] is None


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    """A path that cannot be written is refused as an invalid setting; a running record continues."""
    record_apdus(tmp_path / "apdus")
    with pytest.raises(InvalidSettings, match="No such file"):
        record_apdus(tmp_path / "nowhere" / "apdus")
    assert recording()


def test_a_file_that_takes_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the file cannot be written any more, the record ends, and the work with the card continues."""
    record_apdus(tmp_path / "record")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        TracedCard(ScriptedCard(), name="ttyX").transmit(Apdu(Command(0, 0xA4, 0, 4)), deadline=soon())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ": File too large" in caplog.text
    assert not recording()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/full")])
def test_a_fifo_or_a_device_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Nothing is recorded into a FIFO or a device, and opening one does not block."""
    make(tmp_path / "record")
    with pytest.raises(InvalidSettings, match="cannot record APDUs in"):
        record_apdus(tmp_path / "record")
    assert not recording()


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    """The record must not be written through a link that another user has prepared."""
    (tmp_path / "record").write_text("before\n", encoding="utf-8")
    os.link(tmp_path / "record", tmp_path / "elsewhere")
    with pytest.raises(InvalidSettings, match="the file has 2 links"):
        record_apdus(tmp_path / "record")
    assert not recording()
    assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "before\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link is not followed, whether its target exists or not."""
    (tmp_path / "record").symlink_to(tmp_path / "elsewhere")
    for there in (False, True):
        if there:
            (tmp_path / "elsewhere").touch()
        with pytest.raises(InvalidSettings, match="cannot record APDUs in"):
            record_apdus(tmp_path / "record")
        assert (tmp_path / "elsewhere").exists() is there


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even as root, lpad writes no record into another user's file, because that user could read it."""
    (tmp_path / "record").touch()
    owner = (tmp_path / "record").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(InvalidSettings, match=f"the file belongs to user {owner}"):
        record_apdus(tmp_path / "record")
    assert not recording()


def test_a_file_of_its_own_is_appended_to_and_closed_to_others(tmp_path: Path) -> None:
    """After a restart the record continues in the same file, which lpad closes to other users."""
    (tmp_path / "record").write_text("before\n", encoding="utf-8")
    (tmp_path / "record").chmod(0o644)
    record_apdus(tmp_path / "record")
    TracedCard(ScriptedCard(), name="ttyX").transmit(Apdu(Command(0, 0xA4, 0, 4)), deadline=soon())
    assert (tmp_path / "record").read_text(encoding="utf-8").startswith("before\n{")
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o600
