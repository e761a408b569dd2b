"""lpactl trust, and how lpactl info names CIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.lab import CARD, Lab
from known_issuers import knowing
from lpad.engine.snapshot.snapshot import CardState
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import Pki

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def card_alone(terminal: Terminal) -> Terminal:
    """Return a terminal whose lpad trusts only the card's CIs, and not the system's certificates."""
    terminal.lab.trust = Trust(use_system_roots=False)
    return terminal


def address(terminal: Terminal) -> str:
    return str(terminal.lab.server.address)


def test_a_check_states_which_ci_confirms_the_server(card_alone: Terminal, pki: Pki) -> None:
    """The report on a check of a server states which of the card's CIs confirms the server."""
    done = card_alone.lpactl("trust", "check", address(card_alone)).ok()
    ci = pki.ci[Curve.NIST].key_id.hex()
    for told in ("trusted     yes", "a CI that the card names", ci, "dp-tls", "handshakes  1"):
        assert told in done.out
    as_json = card_alone.lpactl("trust", "check", address(card_alone), "--json").ok().json["result"]
    assert (as_json["trusted"], as_json["anchor"], as_json["issuer_key_id"]) == (True, "card", ci)
    assert card_alone.lab.server.counters.requests == {}


def test_a_check_of_an_unknown_server_names_the_missing_certificate(card_alone: Terminal, pki: Pki) -> None:
    """If all of the card's CIs are forbidden, the output names them and the setting; the exit code is 6."""
    card_alone.lab.trust = Trust(use_system_roots=False, forbidden=[ci.key_id for ci in pki.ci.values()])
    done = card_alone.lpactl("trust", "check", address(card_alone))
    assert done.code == 6
    assert "no (unknown-ca)" in done.out
    assert "trust.forbidden_issuers" in done.out
    assert "forbidden" in done.out.splitlines()[-1]


def test_a_check_without_a_server_is_an_error(card_alone: Terminal) -> None:
    """If no server answers at the address, the command ends with an error instead of a report."""
    done = card_alone.lpactl("trust", "check", "localhost:1")
    assert done.code == 6
    assert "server-unreachable" in done.err


def test_a_check_of_an_invalid_address_is_refused(card_alone: Terminal) -> None:
    """The command refuses a text that is not a server's address."""
    assert card_alone.lpactl("trust", "check", "https://smdp.example.com/").code == 2


def test_info_names_cis(terminal: Terminal, pki: Pki) -> None:
    """Each CI of the card is in a line of its own, with its purposes."""
    out = terminal.lpactl("info").ok().out
    for ci in pki.ci.values():
        assert f"{ci.key_id.hex()}  unknown name (verification, signing)" in out


def test_info_names_cis_that_are_known(terminal: Terminal, pki: Pki, tmp_path: Path) -> None:
    """A CI of lpad's table is shown by its name, and a test CI is marked, in the text and in the JSON."""
    production, test = (ci.key_id for ci in pki.ci.values())
    with knowing(tmp_path, production=production, test=test):
        out = terminal.lpactl("info", "--refresh").ok().out
        told = terminal.lpactl("info", "--json").ok().json["info"]["certificate_issuers"]
    nist, brainpool = production.hex(), test.hex()
    assert f"{nist}  Some CI (verification, signing)" in out
    assert f"{brainpool}  Some other CI (verification, signing; for tests)" in out
    assert [(each["key_id"], each["name"], each["test"]) for each in told] == [
        (nist, "Some CI", False),
        (brainpool, "Some other CI", True),
    ]


def test_info_points_out_risks(terminal: Terminal) -> None:
    """A risky factory test profile gets a note in the text and an entry in the JSON; others get neither."""
    terminal.lab.install()
    done = terminal.lpactl("info").ok()
    assert done.err == ""
    assert terminal.lpactl("info", "--json").ok().json["known_risks"] == []
    terminal.lab.install(iccid="8949449999999990023", name="GSMA Generic eUICC Test Profile")
    err = terminal.lpactl("info").ok().err
    assert "8949449999999990023 is GSMA's generic test profile" in err
    assert "lpactl delete 8949449999999990023" in err
    (risk,) = terminal.lpactl("info", "--json").ok().json["known_risks"]
    assert (risk["iccid"], risk["risk"], risk["enabled"]) == (
        "8949449999999990023",
        "generic-test-profile",
        False,
    )
    terminal.lpactl("enable", "8949449999999990023").ok()
    assert "and it is enabled" in terminal.lpactl("info").ok().err


@pytest.mark.test_data
def test_info_names_known_cis(tmp_path: Path, test_data: Path) -> None:
    """A known CI is shown by its name, and a test CI is marked."""
    published = Pki.open(test_data / "sgp26", minted=tmp_path / "minted")
    with Lab(tmp_path / "lab", published) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        out = Terminal(lab, gateway.path).lpactl("info").ok().out
    assert "GSMA SGP.26 test CI, NIST P-256 (verification, signing; for tests)" in out
