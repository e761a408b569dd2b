"""One daemon records a card's APDUs; another daemon uses the recording in place of the card."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PECULIAR = CardBehaviour(answers=Answers.CORRECTED, copies_unknown_parameters=True, channels=2)


@pytest.fixture
def recorded(tmp_path: Path, profile: Callable[[], bytes]) -> tuple[str, str, Path]:
    """The EID of an unusual card, the ICCID of its profile, and the file of its recorded APDUs."""
    with Gateway(behaviour=PECULIAR, settings={"log": {"apdus": "apdus"}}) as gateway:
        gateway.ready()
        iccid = str((gateway.download(gateway.order(profile()), enable=True).check().result or {})["iccid"])
        gateway.client.rename(CARD, iccid, "kept", wait=PATIENCE).check()
        gateway.client.delete(CARD, iccid, wait=PATIENCE)
        gateway.until(lambda: not gateway.card.notifications)
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        eid = str(gateway.card.eid)
        gateway.stop()
        log = gateway.log
        shutil.copy(gateway.folder / "apdus", tmp_path / "apdus")
    assert eid not in log, "the log contains the EID"
    return eid, iccid, tmp_path / "apdus"


@pytest.fixture
def replayed(recorded: tuple[str, str, Path]) -> Iterator[Gateway]:
    """A gateway whose port leads to the replayed recording."""
    gateway = Gateway()
    port = gateway.folder / "replayed"
    command = [sys.executable, "-m", "lpad.cli.lpad", "sim", "euicc", "--replay", os.fspath(recorded[2])]
    with subprocess.Popen([*command, "--pty", os.fspath(port)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"AT port")
        gateway._euicc["port"] = str(port)
        with gateway:
            gateway.ready()
            yield gateway
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_a_replayed_card_answers_like_the_recorded_one(
    recorded: tuple[str, str, Path], replayed: Gateway
) -> None:
    """A replayed card has the EID, the profile and the refusal of the recorded card."""
    eid, iccid, _ = recorded
    card = replayed.client.euicc(CARD)
    assert card.eid == eid
    assert card.info is not None
    assert card.info.memory.free_non_volatile is not None
    change = replayed.client.refresh(CARD, wait=PATIENCE).check()
    assert change.state == "done"
    assert iccid in {each.iccid for each in replayed.client.profiles(CARD)}
    refused = replayed.client.delete(CARD, iccid, wait=PATIENCE)
    assert refused.error is not None
