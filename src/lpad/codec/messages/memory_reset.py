"""The memory reset of an eUICC: eUICCMemoryReset (SGP.22 v2.5, 5.7.19)."""

from __future__ import annotations

from msgspec import Struct

from lpad.codec.asn1 import der, named_bits
from lpad.codec.messages.result_code import ResultAnswer


class EuiccMemoryResetResult(ResultAnswer, answer="EuiccMemoryResetResponse", field="resetResult"):
    """The result of a memory reset."""

    OK = 0, "ok"
    NOTHING_TO_DELETE = 1, "nothingToDelete"
    CAT_BUSY = 5, "catBusy"
    UNDEFINED_ERROR = 127, "undefinedError"


class EuiccMemoryResetRequest(Struct, frozen=True):
    """eUICCMemoryReset (BF34): the data to delete or reset; enabled profiles are deleted, too.

    Test profiles are deleted only if they were loaded in the field.
    """

    operational_profiles: bool = False
    test_profiles: bool = False
    default_smdp_address: bool = False

    def encode(self) -> bytes:
        """Return the request."""
        options = (self.operational_profiles, self.test_profiles, self.default_smdp_address)
        bits = named_bits.of(bit for bit, wanted in enumerate(options) if wanted)
        return der.encode("EuiccMemoryResetRequest", {"resetOptions": bits})
