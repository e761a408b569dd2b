"""lpactl trust, and how lpactl info names CIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.lab import CARD, Lab
from lpad.engine.snapshot import CardState
from lpad.remote.trust import Trust
from lpad.simulator.credential import Curve
from lpad.simulator.pki import Pki

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def card_alone(terminal: Terminal) -> Terminal:
    """Nobody vouches for servers but the card."""
    terminal.lab.trust = Trust(use_system_roots=False)
    return terminal


def address(terminal: Terminal) -> str:
    return str(terminal.lab.server.address)


def test_check(card_alone: Terminal, pki: Pki) -> None:
    """A server is checked on the card's behalf; the report says which CI of the card's vouches for it."""
    done = card_alone.lpactl("trust", "check", address(card_alone)).ok()
    ci = pki.ci[Curve.NIST].key_id.hex()
    for told in ("trusted     yes", "a CI that the card names", ci, "dp-tls", "handshakes  2"):
        assert told in done.out
    as_json = card_alone.lpactl("trust", "check", address(card_alone), "--json").ok().json
    assert (as_json["trusted"], as_json["anchor"], as_json["issuer_key_id"]) == (True, "card", ci)
    assert card_alone.lab.server.counters.requests == {}


def test_check_of_a_stranger(card_alone: Terminal, pki: Pki) -> None:
    """Where nobody vouches, what is missing is told with its place, and the exit code says so."""
    card_alone.lab.trust = Trust(use_system_roots=False, forbidden=[ci.key_id for ci in pki.ci.values()])
    done = card_alone.lpactl("trust", "check", address(card_alone))
    assert done.code == 6
    assert "no (unknown-ca)" in done.out
    assert "trust.forbidden_issuers" in done.out
    assert "forbidden" in done.out.splitlines()[-1]


def test_check_where_nobody_is(card_alone: Terminal) -> None:
    """Without a server there is an error, not a report."""
    done = card_alone.lpactl("trust", "check", "localhost:1")
    assert done.code == 6
    assert "server-unreachable" in done.err


def test_check_of_no_address(card_alone: Terminal) -> None:
    """What is no server's address is refused."""
    assert card_alone.lpactl("trust", "check", "https://smdp.example.com/").code == 2


def test_info_names_cis(terminal: Terminal, pki: Pki) -> None:
    """Each CI of the card stands in a line of its own, with what it is for."""
    out = terminal.lpactl("info").ok().out
    for ci in pki.ci.values():
        assert f"{ci.key_id.hex()}  not known by name (verification, signing)" in out


@pytest.mark.test_data
def test_info_names_known_cis(tmp_path: Path, test_data: Path) -> None:
    """A known CI is shown by its name, and one for tests as such."""
    published = Pki.open(test_data / "sgp26", minted=tmp_path / "minted")
    with Lab(tmp_path / "lab", published) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        out = Terminal(lab, gateway.path).lpactl("info").ok().out
    assert "GSMA SGP.26 test CI, NIST P-256 (verification, signing; for tests)" in out
