"""One call of an ES9+ function: the fields of its JSON body, and its faults."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.base.identifiers import TransactionId
from lpad.codec.asn1 import tlv
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.faults import ActiveFaults
from lpad.simulator.smdp.functions.status_codes import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.codec.asn1.tlv import Tlv


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an ES9+ function. Unknown fields are ignored; base64 may have blanks or lack padding."""

    fields: Mapping[str, Any]
    faults: ActiveFaults = field(default_factory=ActiveFaults)

    def text(self, name: str) -> str:
        """Return a text field.

        Raises:
            Refusal: the field is missing or not text (1.6/2.1).
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise Refusal(status_codes.INVALID_REQUEST, subject_identifier=name)
        return value

    def data(self, name: str) -> bytes:
        """Return a decoded base64 field.

        Raises:
            Refusal: the field is missing or not valid base64 (1.6/2.1).
        """
        compact = re.sub(r"\s", "", self.text(name)).rstrip("=")
        try:
            return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(status_codes.INVALID_REQUEST, subject_identifier=name) from error

    def element(self, name: str, *tags: int) -> Tlv:
        """Return a field that contains one DER element with one of `tags`.

        Raises:
            Refusal: the field is missing, or contains something else (1.6/2.1).
        """
        try:
            element = tlv.parse(self.data(name))
        except MalformedError as error:
            raise Refusal(status_codes.INVALID_REQUEST, subject_identifier=name) from error
        if element.tag not in tags:
            raise Refusal(status_codes.INVALID_REQUEST, subject_identifier=name)
        return element

    def transaction_id(self) -> bytes:
        """Return the transaction ID, sent as hexadecimal digits in upper or lower case.

        Raises:
            Refusal: the ID is missing (1.6/2.1), or not a possible transaction ID (8.10.1/3.9).
        """
        text = self.text("transactionId")
        try:
            return bytes(TransactionId.from_hex(text))
        except MalformedError as error:
            raise Refusal(status_codes.UNKNOWN_TRANSACTION, subject_identifier=text) from error


def encoded(data: bytes) -> str:
    """Return bytes as base64 for JSON."""
    return base64.b64encode(data).decode()
