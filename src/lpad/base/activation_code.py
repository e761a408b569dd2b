"""The activation code: the server that offers a profile, and which profile (SGP.22 v2.5, 4.1)."""

from __future__ import annotations

from msgspec import Struct

from lpad.base.activation_code_extraction import bare_code
from lpad.base.errors import InvalidActivationCode, InvalidValue
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.server_address import ServerAddress

LONGEST = 255  # characters
_PREFIX = "LPA:"
_FORMAT = "1"
_MATCHING_ID = LazyPattern(r"[!#-&(-_a-~]*")
"""SGP.22 allows letters, digits and "-". Operators use further characters, such as "_". lpad refuses only
quotes, spaces and non-ASCII characters, and leaves it to the server to refuse others."""
_OID = LazyPattern(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_EXAMPLE = "it should look like LPA:1$smdp.example.com$MATCHING-ID"
_FIELDS = 5  # format, address, matching ID, OID, confirmation code flag; fields that v3 adds are ignored


class ActivationCode(Struct, frozen=True):
    """The fields of an activation code.

    `matching_id` may be empty: the server then finds the order by the card's EID. `smdp_oid` is the dotted
    object identifier that the server's certificate must contain; None: any.
    """

    address: ServerAddress
    matching_id: str
    smdp_oid: str | None = None
    confirmation_code_required: bool = False

    @classmethod
    def parse(cls, text: str) -> ActivationCode:
        """Parse a code in any form: printed, copied, scanned or in a setup link (see `bare_code`).

        The prefix and the address may be in either case; the matching ID keeps its case. Fields after the
        address may be empty, and fields that version 3 adds after the flag are ignored.

        Raises:
            InvalidActivationCode: the text contains no code of format 1; the sentence names the wrong
                field, never its content, because the code is a secret.
        """
        compact = bare_code(text)
        if compact[: len(_PREFIX)].upper() == _PREFIX:
            compact = compact[len(_PREFIX) :]
        if len(compact) > LONGEST:
            raise InvalidActivationCode(f"the activation code is longer than {LONGEST} characters")
        fields = compact.split("$")
        if fields[0] != _FORMAT:
            raise InvalidActivationCode(f"the text is not an activation code of format 1: {_EXAMPLE}")
        if len(fields) < 3:
            raise InvalidActivationCode(f"the activation code ends before its matching ID: {_EXAMPLE}")
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
        """Return a form for logs: the server, without the matching ID, with which others could download."""
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
        raise InvalidActivationCode(
            "the activation code's matching ID contains an unusual character: copy the code again"
        )
    return text


def _oid(text: str) -> str | None:
    if text and not _OID.fullmatch(text):
        raise InvalidActivationCode(
            "the activation code's fourth field must be empty or an object identifier, such as 1.3.6.1"
        )
    return text or None


def _flag(text: str) -> bool:
    if text not in ("", "1"):
        raise InvalidActivationCode(
            "the activation code's fifth field must be empty or 1 (a confirmation code is needed)"
        )
    return text == "1"
