"""ICCIDs as modems tell them."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.protocol.at_dialogue import AtAnswer
from lpad.protocol.iccid_answer import iccid_told

ICCID = "8900101000000000017"


def answer(line: str) -> AtAnswer:
    return AtAnswer((line,), "OK")


@pytest.mark.parametrize(
    "line",
    [ICCID, f"{ICCID}F", f'"{ICCID}"', '144,0,"980001010000000010F7"', "145, 16, 980001010000000010F7"],
)
def test_forms_of_an_iccid(line: str) -> None:
    """Quoted or not, padded or not, and from the file with its nibbles swapped."""
    told = iccid_told(answer(line))
    assert told is not None
    assert str(told) == ICCID


@pytest.mark.parametrize("line", ['148,4,""', "106,130", "144,0"])
def test_no_such_file(line: str) -> None:
    """A card without the file has no ICCID to tell."""
    assert iccid_told(answer(line)) is None


@pytest.mark.parametrize(
    "line", ['144,0,"98001"', '144,0,"9800"', '144,0,"FF0001010000000010F7"', "ERROR", ""]
)
def test_what_is_no_iccid(line: str) -> None:
    """Half a byte, too few bytes and other than digits are malformed."""
    with pytest.raises(MalformedError):
        iccid_told(answer(line))
