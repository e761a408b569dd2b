"""Profiles that cannot be read, or share an ICCID, in the API and in lpactl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.guarding import guarding
from engine.lab import CARD, FIRST, SECOND
from engine.test_odd_profiles import AID, BROKEN, NO_ICCID, STATE, aid, read
from lpad.base.identifiers import Iccid
from lpad.cli.terminal import exit_codes
from lpad.client import Client
from lpad.engine.change.change import Kind
from lpad.engine.worker import worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

PROFILES = f"/v1/euiccs/{CARD}/profiles"


@pytest.fixture
def two(tmp_path: Path, pki: Pki) -> Iterator[tuple[Terminal, Gateway]]:
    """Yield a terminal and a gateway whose card has two profiles, the first of which is enabled."""
    with guarding(tmp_path, pki) as lab, Gateway(lab) as gateway:
        yield Terminal(lab, gateway.path), gateway


def test_an_unreadable_profile_is_shown(two: tuple[Terminal, Gateway]) -> None:
    """The API and lpactl list an unreadable profile by AID or raw ICCID; the status mentions the profile."""
    terminal, gateway = two
    lab = terminal.lab
    lab.card.distort(FIRST, told=NO_ICCID)
    lab.card.distort(SECOND, without=(AID,), tail=BROKEN)
    read(lab)
    first = aid(lab, FIRST)
    listed = gateway.get(PROFILES)
    assert listed["profiles"] == []
    assert [(each["isdp_aid"], each["raw_iccid"], each["state"]) for each in listed["unreadable"]] == [
        (first, "FF" * 10, "enabled"),
        (None, bytes(Iccid.parse(SECOND)).hex().upper(), "disabled"),
    ]
    assert gateway.get(f"/v1/euiccs/{CARD}")["unreadable"] == listed["unreadable"]
    one = gateway.get(f"{PROFILES}/{first}")
    assert (one["iccid"], one["raw_iccid"], one["isdp_aid"], one["name"]) == (None, "FF" * 10, first, "First")
    shown = terminal.lpactl("profiles").ok()
    assert shown.out.split()[6] == "AID"
    assert [line.split()[-1] for line in shown.out.splitlines()[1:2]] == [first]
    assert "2 of the entries in the card's list of profiles cannot be read" in shown.err
    assert first in shown.err
    (unread, other) = json.loads(terminal.lpactl("profiles", "--json").ok().out)["unreadable"]
    assert (unread["isdp_aid"], other["isdp_aid"]) == (first, None)
    status = terminal.lpactl("status").ok()
    assert f"AID {first}, ICCID {SECOND}" in status.err
    assert "First" in status.out
    assert 'lpad_profiles{euicc="modem",state="unreadable"} 2' in gateway.http.get("/v1/metrics").text


def test_lpactl_addresses_by_aid(two: tuple[Terminal, Gateway]) -> None:
    """A name, or the AID in either case, leads to a profile whose ICCID the card does not report."""
    terminal, _ = two
    lab = terminal.lab
    lab.card.distort(SECOND, told=NO_ICCID)
    read(lab)
    second = aid(lab, SECOND)
    assert terminal.lpactl("enable", "Second").ok().out.splitlines()[0] == f"{second} is enabled"
    assert terminal.lpactl("disable", second.lower()).ok().out == f"{second} is disabled\n"
    terminal.lpactl("enable", FIRST).ok()
    refused = terminal.lpactl("enable", SECOND)
    assert refused.code == exit_codes.STATE
    assert "name the profile by its AID" in refused.err
    assert terminal.lpactl("delete", second, "--yes").ok().out == f"{second} is deleted\n"


def test_an_ambiguous_iccid_names_its_candidates(two: tuple[Terminal, Gateway]) -> None:
    """For an ambiguous ICCID, every route with an ICCID answers 409 with the AIDs, and creates no change."""
    terminal, gateway = two
    lab = terminal.lab
    lab.card.distort(SECOND, told=bytes(Iccid.parse(FIRST)))
    read(lab)
    candidates = f"{aid(lab, FIRST)}, {aid(lab, SECOND)}"
    before = len(lab.engine.changes())
    asked: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("GET", "/icon", None),
        ("PATCH", "", {"nickname": "x"}),
        ("DELETE", "", None),
        ("POST", "/enable", None),
        ("POST", "/disable", None),
    ]
    for method, rest, body in asked:
        answer = gateway.http.request(method, f"{PROFILES}/{FIRST}{rest}", json=body)
        assert answer.status_code == 409, answer.text
        assert answer.json()["details"]["candidates"] == candidates
        assert aid(lab, SECOND) in answer.json()["detail"]
    assert len(lab.engine.changes()) == before
    refused = terminal.lpactl("enable", FIRST)
    assert refused.code == exit_codes.STATE
    assert aid(lab, SECOND) in refused.err
    assert terminal.lpactl("enable", "Second").ok().out.splitlines()[0] == f"{aid(lab, SECOND)} is enabled"
    answer = gateway.http.post(f"{PROFILES}/{aid(lab, FIRST)}/enable?wait=120")
    result = answer.json()["result"]
    assert (result["iccid"], result["already"]) == (aid(lab, FIRST), False)


def test_an_iccid_is_ambiguous_no_longer_than_it_is(two: tuple[Terminal, Gateway]) -> None:
    """After a 409 for an ambiguous ICCID, lpad reads the card again, as a program may have changed it."""
    terminal, gateway = two
    lab = terminal.lab
    lab.card.distort(SECOND, told=bytes(Iccid.parse(FIRST)))
    read(lab)
    lab.card.distort(SECOND)
    disable = f"{PROFILES}/{FIRST}/disable?wait=120"
    assert gateway.http.post(disable).status_code == 409
    lab.until_true(lambda: len({each.iccid for each in lab.engine.snapshot(CARD).listed.profiles}) == 2)
    assert gateway.http.post(disable).json()["state"] == "done"


def test_requests_for_an_ambiguous_iccid_do_not_keep_the_card_busy(
    two: tuple[Terminal, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After refused requests for an ambiguous ICCID, lpad reads the card again only at long intervals."""
    monkeypatch.setattr(worker, "READ_AGAIN", 3600.0)
    terminal, gateway = two
    lab = terminal.lab
    lab.card.distort(SECOND, told=bytes(Iccid.parse(FIRST)))
    read(lab)
    before = lab.engine.snapshot(CARD).read_at
    assert gateway.http.post(f"{PROFILES}/{FIRST}/enable").status_code == 409
    lab.until_true(lambda: lab.engine.snapshot(CARD).read_at != before)
    lab.modem.received.clear()
    for _ in range(5):
        assert gateway.http.post(f"{PROFILES}/{FIRST}/enable").status_code == 409
    assert lab.carry_out(Kind.REFRESH).error is None
    assert sum("BF2D" in line for line in lab.modem.received) == 1


def test_an_enabled_profile_that_cannot_be_read_is_unknown(two: tuple[Terminal, Gateway]) -> None:
    """If an unreadable profile may be the enabled one, the status shows unknown, not none."""
    terminal, gateway = two
    terminal.lab.card.distort(FIRST, without=(STATE,), told=NO_ICCID)
    read(terminal.lab)
    assert "unknown" in terminal.lpactl("status").ok().out
    missing = gateway.http.get(f"{PROFILES}/{FIRST}")
    assert missing.status_code == 409
    assert missing.json()["details"] == {"unreadable": 1}


def test_the_client_lists_both(two: tuple[Terminal, Gateway]) -> None:
    """`profiles` still returns the readable profiles only; `profile_list` returns all."""
    terminal, _ = two
    terminal.lab.card.distort(FIRST, told=NO_ICCID)
    read(terminal.lab)
    with Client(str(terminal.socket)) as client:
        assert [each.iccid for each in client.profiles(CARD)] == [SECOND]
        listed = client.profile_list(CARD)
        assert [each.isdp_aid for each in listed.unreadable] == [aid(terminal.lab, FIRST)]
        assert client.euicc(CARD).unreadable == listed.unreadable
