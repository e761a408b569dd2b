"""The EID of a card."""

from __future__ import annotations

import pytest

from lpad.base.errors import MalformedError
from lpad.codec.messages.get_eid import GET_EID, decode_eid
from lpad.simulator.asn1.schema import Schema

EID = "89049032123451234512345678901235"


def test_the_eid_is_read_without_swapping() -> None:
    """Lpad requests the EID by its tag, and reads the digits without swapping nibbles."""
    assert Schema.compile().decode("GetEuiccDataRequest", GET_EID) == {"tagList": b"\x5a"}
    assert decode_eid(bytes.fromhex("BF3E125A10" + EID)).digits == EID
    for data in ("", "BF3E00", "BF3E035A0189", "BF3E125A10" + "AA" * 16):
        with pytest.raises(MalformedError):
            decode_eid(bytes.fromhex(data))
