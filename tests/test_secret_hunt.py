"""The hunt for secrets finds what it is to find."""

from __future__ import annotations

import pytest

from lpad.errors import NotFound
from secret_hunt import HUNT, Hunt

ICCID = "8944000000000099017"


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (ICCID, f"the profile {ICCID} is enabled"),
        (
            ICCID,
            "> 80E2910010BF310D 98440000000000990071F7".replace(
                "98440000000000990071F7", "984400000000009910F7"
            ),
        ),
        ("KQ7-TOKEN", "download of LPA:1$smdp.example.com$KQ7-TOKEN begins"),
        ("KQ7-TOKEN", "04" + " 4b51372d544f4b454e"),
        ("vErY-53cret", 'refused: "vErY-53cret" is no code'),
    ],
)
def test_what_is_found(secret: str, line: str) -> None:
    """Secrets are found as they are and in hex, whether they were learned before or after."""
    hunt = Hunt()
    hunt.hear(line)
    hunt.learn("it", secret)
    assert len(hunt.found()) == 1


def test_what_is_not_found() -> None:
    """What is shortened is no secret any more."""
    hunt = Hunt()
    hunt.learn("ICCID", ICCID)
    hunt.hear("the profile …9017 is enabled")
    assert hunt.found() == []


def test_it_is_on() -> None:
    """The whole suite is hunted through; a run with a finding fails (tests/conftest.py)."""
    assert "hunt for secrets: " in HUNT.summary


def test_errors_shorten_identifiers_themselves() -> None:
    """Whoever writes a sentence may forget it; details keep the whole for programs."""
    error = NotFound(f"the card holds no profile {ICCID}; read LPA:1$smdp.example.com$TOKEN", iccid=ICCID)
    assert error.sentence == str(error) == "the card holds no profile …9017; read LPA:1$smdp.example.com$…"
    assert error.details == {"iccid": ICCID}
