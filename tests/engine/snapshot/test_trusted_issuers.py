"""Downloads and notifications if only the card confirms the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.lab import CARD, FIRST, Lab
from lpad.engine.change.change import Kind
from lpad.engine.snapshot.snapshot import CardInfo, Memory, Snapshot
from lpad.engine.snapshot.trusted_issuers import card_trust
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.remote.trust.trust_memory import TrustMemory

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki


def test_a_download_takes_no_extra_handshake(lab: Lab) -> None:
    """Neither a download, not even the first, nor a notification needs an extra handshake."""
    lab.trust = Trust(use_system_roots=False, memory=TrustMemory(lab.folder / "servers.json"))
    lab.install()
    lab.until_true(lambda: not lab.card.notifications)
    counters = lab.server.counters
    assert (counters.tcp_connects, counters.tls_handshakes) == (1, 1)
    lab.stop()  # the download's connection is kept open for a short time, and would serve the switch, too
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    lab.until(lambda: lab.engine.card(CARD).notifications(), lambda left: not left)
    assert counters.tls_handshakes > 1
    assert counters.tcp_connects == counters.tls_handshakes
    assert [each.event for each in lab.server.notifications][-1] == "enable"


def test_a_forbidden_ci(lab: Lab, pki: Pki) -> None:
    """A CI that the settings forbid confirms no server, although the card names it."""
    lab.trust = Trust(use_system_roots=False, forbidden=[ci.key_id for ci in pki.ci.values()])
    secrets = {"activation_code": lab.code(lab.order())}
    change = lab.carry_out(Kind.DOWNLOAD, secrets=secrets)
    assert change.error is not None
    assert change.error.kind == "server-untrusted"
    assert change.error.details["cause"] == "unknown-ca"


def test_a_card_that_was_not_read_yet() -> None:
    """Before a card is read, the CIs that it trusts are unknown."""
    assert card_trust("89", [Snapshot(name="modem", transport="AT")]) == CardTrust("89", None)


def info(key_id: str) -> CardInfo:
    """Return the information of a card that trusts one CI."""
    return CardInfo(
        svn=None, profile_version=None, firmware=None, memory=Memory(), ci_ids_for_verification=(key_id,)
    )


def test_another_cards_word_does_not_count() -> None:
    """Only a report by the card with this EID counts, once its information has been read."""
    read = replace(Snapshot(name="modem", transport="AT"), eid="89", info=info("aa" * 20))
    other = replace(read, eid="88", info=info("bb" * 20))
    unread = replace(read, info=None)
    assert card_trust("89", [other, unread, read]) == CardTrust("89", (bytes([0xAA] * 20),))
    assert card_trust("89", [other, unread]) == CardTrust("89", None)
