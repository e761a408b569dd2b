"""Discovery at the SM-DSs that a card names, next to those of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.discovery.named_lab import FURTHER, OPERATORS, ROOT, NamedLab
from engine.lab import FIRST, result_of
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind, State
from lpad.engine.policy.discovery import DiscoveryPolicy
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki


def discover(lab: NamedLab, *settings: str, **params: Any) -> Change:
    servers = tuple(map(ServerAddress.parse, settings))
    lab.start(replace(lab.port, discovery=DiscoveryPolicy(servers=servers)))
    return lab.carry_out(Kind.DISCOVER, **params)


def asked(change: Change) -> list[tuple[str, int]]:
    return [(each["address"], each.get("events", 0)) for each in result_of(change)["servers"]]


def test_a_card_with_a_usable_root(tmp_path: Path, pki: Pki) -> None:
    """A card's root SM-DS is asked even if the settings name none, and leads to an enabled profile."""
    with NamedLab(tmp_path, pki, root_ds_address=ROOT) as lab:
        lab.event(ROOT, "EVENT-1")
        change = discover(lab, install=True)
        assert change.state is State.DONE, change.error
        assert asked(change) == [(ROOT, 1)]
        lab.until_true(lambda: lab.enabled() == [FIRST])


def test_additional_roots_are_asked_in_order(tmp_path: Path, pki: Pki) -> None:
    """Lpad asks the card's root, then its additional roots, then the settings' SM-DSs, each once."""
    further = ("testrootsmds.gsma.com", "", FURTHER, ROOT, "not an address")
    with NamedLab(tmp_path, pki, root_ds_address=ROOT, additional_root_ds_addresses=further) as lab:
        lab.event(FURTHER, "EVENT-1")
        change = discover(lab, OPERATORS, FURTHER.upper())
        assert asked(change) == [(ROOT, 0), (FURTHER, 1), (OPERATORS, 0)]
        (event,) = result_of(change)["events"]
        assert (event["event_id"], event["listed_by"]) == ("EVENT-1", FURTHER)


def test_a_dead_root_hides_no_additional_one(tmp_path: Path, pki: Pki) -> None:
    """If the root SM-DS fails, an additional root is asked; the result has its event and the error."""
    with NamedLab(tmp_path, pki, root_ds_address=ROOT, additional_root_ds_addresses=(FURTHER,)) as lab:
        lab.event(FURTHER, "EVENT-1")
        lab.smds[ROOT].faults.add(Fault(kind=FaultKind.HTTP_STATUS, value=503, times=0))
        change = discover(lab)
        assert [each["event_id"] for each in result_of(change)["events"]] == ["EVENT-1"]
        assert result_of(change)["servers"][0]["kind"] == "server-failed"


@pytest.mark.parametrize(
    "root",
    [
        "",
        "testrootsmds.gsma.com",
        "testrootsmds.example.com",
        "TESTROOTSMDS.GSMA.COM",
        "smds",
        "http://smds.example.com/",
        ".",
    ],
)
def test_an_unusable_root(tmp_path: Path, pki: Pki, root: str) -> None:
    """A test, empty or malformed address counts as not set: only the settings' SM-DS is asked."""
    with NamedLab(tmp_path, pki, root_ds_address=root) as lab:
        change = discover(lab, OPERATORS)
        assert asked(change) == [(OPERATORS, 0)]
