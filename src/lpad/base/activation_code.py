"""The activation code: where a profile waits, and which one (SGP.22 v2.5, 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lpad.base.errors import InvalidActivationCode, InvalidValue
from lpad.base.server_address import ServerAddress

LONGEST = 255  # characters
_PREFIX = "LPA:"
_FORMAT = "1"
_MATCHING_ID = re.compile(r"[0-9A-Za-z-]*")
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_EXAMPLE = "it looks like LPA:1$smdp.example.com$MATCHING-ID"
_FIELDS = 5  # format, address, matching ID, OID, confirmation code flag; those that v3 adds are passed over


@dataclass(frozen=True, slots=True)
class ActivationCode:
    """What a code says.

    `matching_id` may be empty: then the server finds the order by the card's EID. `smdp_oid` is the
    dotted object identifier that the server's certificate must carry, None where the code names none.
    """

    address: ServerAddress
    matching_id: str
    smdp_oid: str | None = None
    confirmation_code_required: bool = False

    @classmethod
    def parse(cls, text: str) -> ActivationCode:
        """Read a code as it is printed under a QR code, with or without "LPA:".

        Blanks are passed over, and prefix and address may come in any case: codes are typed by hand,
        copied from e-mails and wrapped by terminals. The matching ID keeps its case.

        Raises:
            InvalidActivationCode: anything else; the sentence says which field is wrong, never what it
                holds, since the code is a secret.
        """
        compact = re.sub(r"\s", "", text)
        if compact[: len(_PREFIX)].upper() == _PREFIX:
            compact = compact[len(_PREFIX) :]
        if len(compact) > LONGEST:
            raise InvalidActivationCode(f"an activation code has at most {LONGEST} characters")
        fields = compact.split("$")
        if fields[0] != _FORMAT:
            raise InvalidActivationCode(f"an activation code of this format is unknown: {_EXAMPLE}")
        if len(fields) < 3:
            raise InvalidActivationCode(f"the activation code ends before its matching ID: {_EXAMPLE}")
        if 3 < len(fields) <= _FIELDS and not fields[-1]:
            raise InvalidActivationCode(
                "the activation code ends in '$': something was lost when it was copied"
            )
        _, address, matching_id, oid, flag = [*fields, "", ""][:_FIELDS]
        return cls(
            address=_address(address),
            matching_id=_matching_id(matching_id),
            smdp_oid=_oid(oid),
            confirmation_code_required=_flag(flag),
        )

    def __str__(self) -> str:
        fields = ["LPA:1", str(self.address), self.matching_id]
        if self.smdp_oid is not None or self.confirmation_code_required:
            fields.append(self.smdp_oid or "")
        if self.confirmation_code_required:
            fields.append("1")
        return "$".join(fields)

    def redacted(self) -> str:
        """Return a form fit for logs: the server, without what would let somebody else fetch the profile."""
        return f"LPA:1${self.address}$…"


def _address(text: str) -> ServerAddress:
    if not text:
        raise InvalidActivationCode(f"the activation code names no server: {_EXAMPLE}")
    try:
        return ServerAddress.parse(text)
    except InvalidValue as error:
        raise InvalidActivationCode(f"the activation code's server: {error.sentence}") from error


def _matching_id(text: str) -> str:
    if not _MATCHING_ID.fullmatch(text):
        raise InvalidActivationCode("the activation code's matching ID has letters, digits and '-' only")
    return text


def _oid(text: str) -> str | None:
    if text and not _OID.fullmatch(text):
        raise InvalidActivationCode(
            "the activation code's fourth field is an object identifier such as 1.3.6.1"
        )
    return text or None


def _flag(text: str) -> bool:
    if text not in ("", "1"):
        raise InvalidActivationCode(
            "the activation code's fifth field is 1 (confirmation code needed) or empty"
        )
    return text == "1"
