"""CIs by key identifier: their names, which CI a card's entry proves, and which entries count."""

from __future__ import annotations

import pytest

from lpad.codec.x509.known_certificate_issuers import issuer_named, known_issuers, names_key, permitted

NIST = bytes.fromhex("f54172bdf98a95d65cbeb88a38a1c11d800a85c3")
BRAINPOOL = bytes.fromhex("c0bc70ba36929d43b467ff57570530e57ab8fcd8")
GSMA = bytes.fromhex("81370f5125d0b1d408d4c3b232e6d25e795bebfb")
UNKNOWN = bytes(range(20))


def test_the_table_of_issuers_is_complete() -> None:
    """The table has complete identifiers, names, and both production and test issuers."""
    known = known_issuers()
    assert all(len(key_id) == 20 and issuer.name for key_id, issuer in known.items())
    assert {issuer.test for issuer in known.values()} == {True, False}
    # An identifier cut to four bytes must still name one CI.
    assert len({key_id[:4] for key_id in known}) == len(known)


@pytest.mark.parametrize("length", [4, 8, 20])
def test_a_ci_is_found_by_its_identifier(length: int) -> None:
    """A CI is named by its identifier or the first bytes of it."""
    found = issuer_named(GSMA[:length])
    assert found is not None
    assert (found.name, found.test) == ("GSM Association - RSP2 Root CI1", False)


def test_unknown_or_short_identifiers_name_no_ci() -> None:
    """Too few bytes, or unknown ones, identify no issuer."""
    for key_id in (b"", GSMA[:3], UNKNOWN, GSMA + b"\x00"):
        assert issuer_named(key_id) is None


@pytest.mark.parametrize(
    ("listed", "key_id", "proves"),
    [
        (GSMA, GSMA, True),
        (UNKNOWN, UNKNOWN, True),
        (UNKNOWN[:16], UNKNOWN, True),
        (UNKNOWN[:15], UNKNOWN, False),
        (GSMA[:4], GSMA, True),
        (GSMA[:3], GSMA, False),
        (b"", GSMA, False),
        (GSMA[:4], GSMA[:4] + bytes(16), False),
        (UNKNOWN, GSMA, False),
        (UNKNOWN + b"\x00", UNKNOWN, False),
    ],
)
def test_how_many_bytes_of_an_identifier_prove_it(listed: bytes, key_id: bytes, *, proves: bool) -> None:
    """Sixteen bytes of an identifier prove it; four do only if the identifier is known; fewer never do."""
    assert names_key(listed, key_id) is proves


@pytest.mark.parametrize(
    ("listed", "counts"),
    [
        ((NIST, BRAINPOOL), (NIST, BRAINPOOL)),
        ((NIST, GSMA), (GSMA,)),
        ((GSMA, NIST[:4]), (GSMA,)),
        ((NIST, UNKNOWN), (UNKNOWN,)),
        ((GSMA, UNKNOWN), (GSMA, UNKNOWN)),
        ((), ()),
    ],
)
def test_test_cis_on_products(listed: tuple[bytes, ...], counts: tuple[bytes, ...]) -> None:
    """A card's known test CIs count only if the card names no other CI."""
    assert permitted(listed) == counts


@pytest.mark.parametrize(
    ("forbidden", "counts"),
    [
        ((), (NIST, GSMA)),
        ((NIST,), (GSMA,)),
        ((NIST[:4],), (GSMA,)),
        ((UNKNOWN,), (NIST, GSMA)),
    ],
)
def test_an_explicit_list_replaces_the_rule(forbidden: tuple[bytes, ...], counts: tuple[bytes, ...]) -> None:
    """An explicit list of forbidden issuers replaces the rule about test CIs."""
    assert permitted((NIST, GSMA), forbidden=forbidden) == counts


def test_forbidden_of_a_short_entry() -> None:
    """A shortened entry that may mean a forbidden CI confirms no server."""
    assert permitted((NIST[:8], GSMA), forbidden=(NIST,)) == (GSMA,)
