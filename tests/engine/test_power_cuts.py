"""lpad recovers from a power cut after any write to the journal, as tests on copies of its state show."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from engine.lab import FIRST, Lab
from lpad.base.backoff import Backoff
from lpad.engine.change.change import Change, Kind, State
from lpad.engine.journal.file.database import Database
from lpad.engine.worker.queue import retry_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.engine.journal.file.database import Transaction
    from lpad.simulator.pki.pki import Pki


@dataclass(frozen=True)
class Scenario:
    """A kind of change, on a card with or without a profile, and the check of the state at its end."""

    kind: Kind
    on_empty_card: bool
    fewest: int
    """The minimum number of writes to the journal."""
    true: Callable[[Lab, Change], bool]


def told(lab: Lab, change: Change) -> list[str]:
    """Return the short types of the change's events, such as "enabled", in order."""
    events = lab.engine.events.after(0, limit=999)
    return [
        each.type.removeprefix("org.lpad.profile.").removesuffix(".v1")
        for each in events
        if each.change == change.id
    ]


def downloaded(lab: Lab, change: Change) -> bool:
    (profile,) = lab.card.profiles
    seen = change.state is State.DONE and profile.enabled
    # A download that begins again reports 'downloaded' twice.
    assert [each for each in told(lab, change) if each != "downloaded"] == ["installed", "enabled"]
    assert "downloaded" in told(lab, change)
    return seen


def enabled(lab: Lab, change: Change) -> bool:
    (profile,) = lab.card.profiles
    assert told(lab, change) == ["enabled"] * profile.enabled
    return profile.enabled is (change.state is State.DONE)


def deleted(lab: Lab, change: Change) -> bool:
    assert told(lab, change) == ["deleted"] * (lab.card.profiles == ())
    return (lab.card.profiles == ()) is (change.state is State.DONE)


SCENARIOS = {
    "download": Scenario(kind=Kind.DOWNLOAD, on_empty_card=True, fewest=11, true=downloaded),
    "enable": Scenario(kind=Kind.ENABLE, on_empty_card=False, fewest=6, true=enabled),
    "delete": Scenario(kind=Kind.DELETE, on_empty_card=False, fewest=6, true=deleted),
}


class Camera:
    """Copies the memories of card, server and lpad after each write to the journal."""

    def __init__(self, folder: Path, images: Path) -> None:
        self._folder = folder
        self._images = images
        self._lock = threading.Lock()
        self.running = False
        self.count = 0

    def shoot(self) -> None:
        with self._lock:  # The worker and the outbox's threads write at any time.
            self._shoot()

    def _shoot(self) -> None:
        if self.running:
            target = self._images / f"{self.count:03}"
            shutil.copytree(self._folder, target, ignore=shutil.ignore_patterns("tty"))
            self.count += 1


@pytest.fixture
def camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Camera:
    """A camera that copies all memories after each write to the journal, while it is running."""
    made = Camera(tmp_path / "lab", tmp_path / "images")
    write = Database.writing

    @contextmanager
    def writing(self: Database, **how: bool) -> Iterator[Transaction]:
        with write(self, **how) as transaction:
            yield transaction
        made.shoot()

    monkeypatch.setattr(Database, "writing", writing)
    monkeypatch.setattr(retry_rules, "BACKOFF", {course: Backoff((0.05,)) for course in retry_rules.BACKOFF})
    return made


def at_rest(lab: Lab) -> None:
    """Wait until the card has no notifications and no open channels."""
    lab.until_true(lambda: lab.card.notifications == ())
    lab.until_true(lambda: lab.card.open_channels == ())


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_copy_ends_successfully(tmp_path: Path, pki: Pki, camera: Camera, name: str) -> None:
    """On each copy, lpad ends the change as the card shows; the server gets all notifications in order."""
    scenario = SCENARIOS[name]
    with Lab(tmp_path / "lab", pki) as lab:
        lab.patient(retry=3600)
        lab.carry_out(Kind.REFRESH)
        if not scenario.on_empty_card:
            lab.install()
            at_rest(lab)
        camera.running = True
        if scenario.kind is Kind.DOWNLOAD:
            secrets = {"activation_code": lab.code(lab.order())}
            change = lab.carry_out(scenario.kind, secrets=secrets, enable=True)
        else:
            change = lab.carry_out(scenario.kind, iccid=FIRST)
        at_rest(lab)
        camera.running = False
        port = int(lab.server.address.rpartition(":")[2])
    assert camera.count >= scenario.fewest
    for image in sorted((tmp_path / "images").iterdir()):
        with Lab(image, pki, port=port) as lab:
            lab.patient(retry=3600)
            lab.start()
            settled = lab.ended(change.id)
            assert scenario.true(lab, settled), (image.name, settled)
            at_rest(lab)
            numbers = list(dict.fromkeys(each.sequence_number for each in lab.server.notifications))
            assert numbers == list(range(1, len(numbers) + 1)), image.name
