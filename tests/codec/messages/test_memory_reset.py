"""The memory reset: its options and results."""

from __future__ import annotations

import pytest

from lpad.codec.asn1 import tlv
from lpad.codec.messages.memory_reset import EuiccMemoryResetRequest, EuiccMemoryResetResult


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (EuiccMemoryResetRequest(True, True, True), "BF3404820205E0"),
        (EuiccMemoryResetRequest(operational_profiles=True), "BF340482020780"),
        (EuiccMemoryResetRequest(test_profiles=True), "BF340482020640"),
        (EuiccMemoryResetRequest(default_smdp_address=True), "BF340482020520"),
        (EuiccMemoryResetRequest(), "BF3403820100"),
    ],
)
def test_each_option_of_a_reset_has_its_bit(request_: EuiccMemoryResetRequest, wire: str) -> None:
    """Each option of a memory reset is encoded as its own bit."""
    assert request_.encode().hex().upper() == wire


@pytest.mark.parametrize(
    ("code", "reason"), [(0, "ok"), (1, "nothingToDelete"), (5, "catBusy"), (127, "undefinedError")]
)
def test_each_result_of_a_reset_has_a_name(code: int, reason: str) -> None:
    """Each result of a memory reset has a name."""
    assert EuiccMemoryResetResult.decode(tlv.encode(0xBF34, bytes([0x80, 1, code]))).reason == reason
