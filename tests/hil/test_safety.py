"""The bench changes no wrong card, restores the enabled profile, and keeps protected data."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml

from hil.bench_file.bench_file import BenchFile
from hil.evidence.place_record import PlaceFindings
from hil.place.careful_client import CarefulClient
from hil.place.place_claim import Claim
from hil.place.restore_ledger import Ledger
from hil.plugin import WRONG_CARD
from hil.simulated.stage import EIDS
from hil_run import PATIENCE, Run
from lpad.base.errors import Conflict
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.qmi.control_port import QmiModem
from lpad.testing.simulated_gateway import CARD, Gateway

if TYPE_CHECKING:
    from hil.simulated.stage import Stage
    from lpad.simulator.pki.pki import Pki

PLACE, OTHER = "one-modem", "other-modem"


def bench_with(stage: Stage, name: str, **of_place: Any) -> Path:
    """Write a bench file with the stage's two modem places, the first one altered, and return its path."""
    content = yaml.safe_load(stage.bench.read_text())
    content["places"] = {PLACE: content["places"][PLACE] | of_place, OTHER: content["places"][OTHER]}
    path = stage.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def state_of(card: SoftCard) -> tuple[Any, ...]:
    return card.profiles, card.notifications, card.enabled_iccid


def test_no_bench_file_no_run() -> None:
    """Without a bench file, the bench ends with 2 and asks for one."""
    done = subprocess.run([sys.executable, "-m", "hil"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--bench" in done.stderr


@pytest.mark.parametrize("kind", ["mbim", "qmi"])
def test_a_first_bench_file_for_a_control_port(kind: str, tmp_path: Path, pki: Pki) -> None:
    """For a control port, --new writes a file with the feature `mbim` or `qmi`, and cases pass there."""
    kinds = {"mbim": MbimModem, "qmi": QmiModem}
    with (
        SoftCard(tmp_path / "card", pki=pki) as card,
        kinds[kind](card, path=tmp_path / "cdc-wdm0") as modem,
    ):
        path = tmp_path / "first.yaml"
        writing = Run(path, "--new", modem.path)
        assert writing.end() == 0, writing.output
        assert BenchFile.read(path).features("first") == {"modem", kind}
        run = Run(path, "-k", f"test_{kind} or test_modem or test_eid")
        assert run.end() == 0, run.logs
        assert "3 passed" in run.logs


@pytest.mark.parametrize("name", [PLACE, "first-reader"])
def test_a_first_bench_file(stage: Stage, name: str) -> None:
    """For a card in a port or reader, --new writes a working bench file, and keeps an existing one."""
    section = yaml.safe_load(stage.bench.read_text())["places"][name]
    where = section.get("port") or section["reader"]
    path = stage.folder / f"first-{name}.yaml"
    before = state_of(stage.cards[name])
    writing = Run(path, "--new", where)
    assert writing.end() == 0, writing.output
    assert state_of(stage.cards[name]) == before
    file = BenchFile.read(path)
    assert file.bench.places["first"].eid == EIDS[name]
    assert file.features("first") == ({"modem", "cgla"} if name == PLACE else {"reader", "pcsc", "t0"})
    again = Run(path, "--new", where)
    assert again.end() == 2
    assert "the file exists" in again.output
    run = Run(path, "-k", "test_identity")
    assert run.end() == 0, run.logs
    for left in ("runs", "state"):
        shutil.rmtree(stage.folder / left)


def test_a_wrong_card_stops_the_run(stage: Stage) -> None:
    """If a card's EID is not the one that the bench file gives, the run stops before it changes anything."""
    before = [state_of(card) for card in stage.cards.values()]
    run = Run(bench_with(stage, "wrong", eid=EIDS["first-reader"]))
    assert run.end() == WRONG_CARD
    assert "has done nothing to it" in run.output
    assert [state_of(card) for card in stage.cards.values()] == before
    left = {path.name for path in (stage.folder / "state").rglob("*") if path.is_file()}
    assert left == {"claim"}, "a daemon was started, or something is to be restored"
    assert not (stage.folder / "runs").exists()


@pytest.mark.parametrize(
    ("options", "status"), [((), 0), (("--complete",), 1)], ids=["as usual", "--complete"]
)
def test_a_pool_without_codes(stage: Stage, options: tuple[str, ...], status: int) -> None:
    """A case for which the pool has no code is skipped and reported; with --complete the run fails."""
    (stage.folder / "empty.yaml").write_text(yaml.safe_dump({"codes": []}))
    bench = bench_with(stage, "spent", codes="empty.yaml")
    content = yaml.safe_load(bench.read_text())
    del content["server"]  # The server's codes never run out.
    bench.write_text(yaml.safe_dump(content))
    run = Run(bench, "--place", PLACE, "-k", "test_activation_code", *options)
    assert run.end() == status, run.output
    assert "1 skipped" in run.output
    assert "no code is left in the pool" in (run.folder / "junit.xml").read_text()


def test_a_place_that_is_not_there(stage: Stage) -> None:
    """If a place's port is missing, its first case fails and the others are skipped; other places run."""
    nowhere = str(stage.folder / "nowhere")
    power = yaml.safe_load(stage.bench.read_text())["places"][PLACE]["power"] | {"up_within": 1.0}
    run = Run(bench_with(stage, "nowhere", port=nowhere, power=power), "-k", "test_identity")
    assert run.end() == 1
    findings = {
        name: msgspec.json.decode((run.folder / name / "findings.json").read_bytes(), type=PlaceFindings)
        for name in (PLACE, OTHER)
    }
    ran = {
        name: [each for each in found.outcomes if each.outcome != "left-out"]
        for name, found in findings.items()
    }
    first, *others = ran[PLACE]
    assert (first.outcome, {each.outcome for each in others}) == ("failed", {"skipped"})
    assert all("off to powered failed" in each.reason and "no such port" in each.reason for each in others)
    assert "no such port" in first.reason
    assert {each.outcome for each in ran[OTHER]} == {"passed"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_an_interrupted_run_restores_the_enabled_profile(stage: Stage, how: signal.Signals) -> None:
    """If a run is interrupted or killed while it switches, the previous profile is enabled again."""
    card = stage.cards[PLACE]
    if card.enabled_iccid is None:
        enabled_before(stage)
    before = card.enabled_iccid
    assert before is not None
    run = Run(stage.bench, "--place", PLACE, "-k", "test_endurance and switching")
    run.until(lambda: card.enabled_iccid not in (None, before))
    if how is signal.SIGKILL:  # The pytest process of the place ends without a report.
        for pid in children(run.process.pid):
            os.kill(pid, how)
    else:
        run.process.send_signal(how)
    status = run.end()
    assert status == (1 if how is signal.SIGKILL else 130), run.output
    assert card.enabled_iccid == before, run.logs
    assert not (stage.folder / "state" / PLACE / "before.json").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_changed_address(stage: Stage, how: signal.Signals) -> None:
    """If a run that changed the default SM-DP+ address is interrupted or killed, the old one is restored."""
    card = stage.cards[PLACE]
    run = Run(stage.bench, "--place", PLACE, "-k", "downloads and test_default_smdp")
    run.until(lambda: bool(card.default_dp_address))
    if how is signal.SIGKILL:
        for pid in children(run.process.pid):
            os.kill(pid, how)
    else:
        run.process.send_signal(how)
    assert run.end() == (1 if how is signal.SIGKILL else 130), run.output
    assert card.default_dp_address == "", run.logs


def test_rules_that_nothing_but_a_reset_ends(stage: Stage) -> None:
    """If a run is killed while a profile with policy rules is on the card, that profile is removed."""
    card = stage.cards[OTHER]

    def bound() -> list[str]:
        return [str(each.iccid) for each in card.profiles if has_rules(each.metadata)]

    content = yaml.safe_load(stage.bench.read_text())
    del content["places"][OTHER]["codes"]  # `enabled_before` has used some codes of the pool
    bench = stage.folder / "rules.yaml"
    bench.write_text(yaml.safe_dump(content))
    run = Run(bench, "--place", OTHER, "-k", "test_policy_rules")
    run.until(lambda: bool(bound()))
    for pid in children(run.process.pid):
        os.kill(pid, signal.SIGKILL)
    assert run.end() == 1, run.output
    assert bound() == [], run.logs
    assert card.enabled_iccid is None


def test_a_place_is_one_runs_at_a_time(stage: Stage) -> None:
    """While a process of another run uses a place, a run there is refused before it changes anything."""
    before = state_of(stage.cards[PLACE])
    claim = Claim(stage.folder / "state" / PLACE, place=PLACE)
    with subprocess.Popen(["sleep", "600"], pass_fds=(claim.fileno(),)) as orphan:
        claim.close()
        run = Run(stage.bench, "--place", PLACE)
        assert run.end() == 2
        assert "another run uses it" in run.output
        assert state_of(stage.cards[PLACE]) == before
        orphan.kill()
    following = Run(stage.bench, "--place", PLACE, "--restore")
    assert following.end() == 0, following.logs


def test_codes_of_two_runs(stage: Stage) -> None:
    """Two runs with one pool, one of them killed during a download, and a later run use no code twice."""
    pool = stage.folder / "shared.yaml"
    codes = yaml.safe_load((stage.folder / "codes.yaml").read_text())["codes"]
    pool.write_text(yaml.safe_dump({"codes": codes[4:]}))  # The earlier codes are for `enabled_before`.
    bench = bench_with(stage, "two", codes=pool.name)
    content = yaml.safe_load(bench.read_text())
    content["places"][OTHER]["codes"] = pool.name
    del content["server"]
    bench.write_text(yaml.safe_dump(content))
    leases = stage.folder / "shared.yaml.leases"

    def spent(place: str) -> list[str]:
        events = [json.loads(line) for line in leases.read_text().splitlines()] if leases.exists() else []
        return [each["code"] for each in events if (each["event"], each["place"]) == ("spent", place)]

    runs = [Run(bench, "--place", place, "-k", "downloads and activation_code") for place in (PLACE, OTHER)]
    runs[0].until(lambda: bool(spent(PLACE)))
    for pid in children(runs[0].process.pid):
        os.kill(pid, signal.SIGKILL)
    for run in runs:
        run.end()
    following = Run(bench, "--place", PLACE, "-k", "downloads and activation_code")
    assert following.end() == 0, following.logs
    assert len(spent(PLACE)) == 2
    assert len(spent(OTHER)) == 1
    assert len({*spent(PLACE), *spent(OTHER)}) == 3


def test_cut_off_altogether(stage: Stage) -> None:
    """After a run all of whose processes were killed, --restore enables the previous profile again."""
    card = stage.cards[PLACE]
    if card.enabled_iccid is None:
        enabled_before(stage)
    before = card.enabled_iccid
    run = Run(stage.bench, "--place", PLACE, "-k", "test_endurance and switching")
    run.until(lambda: card.enabled_iccid not in (None, before))
    own = children(run.process.pid)
    run.process.kill()
    for pid in own:
        os.kill(pid, signal.SIGKILL)
    run.end()
    restoring = Run(stage.bench, "--place", PLACE, "--restore")
    assert restoring.end() == 0, restoring.logs
    assert card.enabled_iccid == before


def has_rules(metadata: bytes) -> bool:
    return any(each.tag == 0x99 and each.value.strip(b"\0") for each in tlv.parse(metadata).children())


def enabled_before(stage: Stage) -> None:
    """Download two profiles, as of the card's owner, to the card of PLACE, and enable the last one."""
    content = yaml.safe_load(stage.bench.read_text())
    for code in yaml.safe_load((stage.folder / "codes.yaml").read_text())["codes"][2:4]:
        with Gateway(
            euicc={"port": content["places"][PLACE]["port"]},
            settings={"remote": content["settings"]["remote"]},
        ) as gateway:
            gateway.ready()
            gateway.download(code["code"], enable=True).check()


def children(pid: int) -> list[int]:
    """Return the PIDs of the child processes of a process."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted({int(each) for file in files for each in file.read_text().split()})


def test_only_expendable_profiles_and_codes_are_used_up(tmp_path: Path) -> None:
    """The careful client deletes only expendable profiles, and uses only leased codes."""
    with Gateway() as gateway:
        gateway.ready()
        kept, given = gateway.install_profile(), gateway.install_profile()
        client = CarefulClient(str(gateway.socket), ledger=Ledger(tmp_path, expendable=[given]))
        with client:
            with pytest.raises(Conflict, match="is not expendable"):
                client.delete(CARD, kept)
            with pytest.raises(Conflict, match="is not expendable"):
                client.reset(CARD, operational_profiles=True)
            with pytest.raises(Conflict, match="only leased codes"):
                client.download(CARD, activation_code=gateway.order_profile())
            with pytest.raises(Conflict, match="MADE-UP"):
                client.try_code(CARD, gateway.order_profile())
            client.delete(CARD, given, wait=PATIENCE).check()
        assert [str(each.iccid) for each in gateway.card.profiles] == [kept]
