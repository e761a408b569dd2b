"""GetEID: the request for the EID of an eUICC, and its answer (SGP.22 v2.5, 5.7.20)."""

from __future__ import annotations

from lpad.base.identifiers import Eid
from lpad.codec.asn1 import der

GET_EID = bytes.fromhex("BF3E035C015A")


def decode_eid(data: bytes) -> Eid:
    """Return the EID of a GetEuiccDataResponse.

    Raises:
        MalformedError: the bytes are not a GetEuiccDataResponse, or contain no EID.
    """
    return Eid.from_bytes(der.decode("GetEuiccDataResponse", data)["eidValue"])
