"""The JSON bodies of ES9+ (SGP.22 v2.5, 6.5.2): the requests that lpad sends, and the answers.

lpad is strict about the content of an answer, but accepts various spellings: base64 with spaces, line breaks
or without padding; transaction IDs in either case; "ExecutedSuccess" for "Executed-Success"; status data
without identifier or message; unknown fields.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import TransactionId
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import json_number, json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_MESSAGE = 200
_BLANKS = LazyPattern(r"\s+")
_BASE64 = LazyPattern(r"[A-Za-z0-9+/]+={0,2}")
_DOTTED = LazyPattern(r"[0-9]+(?:\.[0-9]+)*")


class Refusal(Struct, frozen=True):
    """A server's refusal; the dotted status codes are empty if the server gave none."""

    subject_code: str
    reason_code: str
    subject_identifier: str
    message: str
    """The server's own text: one line without control characters, shortened."""


class Answer(Frozen):
    """The body of an HTTP response; `refusal` is None if the server has executed the function."""

    refusal: Refusal | None
    fields: Mapping[str, Any]

    @classmethod
    def decode(cls, body: bytes) -> Answer:
        """Read a response body.

        An empty body, as after handleNotification, counts as executed and has no fields.

        Raises:
            MalformedError: the body is not a JSON object, or has no header with a function execution status.
        """
        if not body.strip():
            return cls(None, {})
        fields = _json_object(body)
        status = _object(_object(fields, "header"), "functionExecutionStatus")
        word = _text(status, "status")
        return cls(None if _says_executed(word) else _refusal(status), fields)

    @property
    def transaction_id(self) -> TransactionId:
        """The transaction ID in the answer.

        Raises:
            MalformedError: the field is missing or impossible.
        """
        return TransactionId.from_hex(_text(self.fields, "transactionId"))

    @classmethod
    def decode_acceptance(cls, body: bytes) -> Answer:
        """Read the body of a successful HTTP answer, which should be empty.

        The specification requires an empty body after handleNotification (6.4). An empty object, which some
        servers send, means the same, and so does a header that says Executed. Anything else does not prove
        that the server has accepted the notification, which can be removed from the card only once.

        Raises:
            MalformedError: the body has none of these forms, and is not a refusal.
        """
        if body.strip() and not _json_object(body):
            return cls(None, {})
        return cls.decode(body)


class InitiateAuthenticationAnswer(Frozen):
    """The answer to InitiateAuthentication (SGP.22 v2.5, 5.6.1); byte strings are DER with their own tag."""

    transaction_id_text: str
    """The transaction ID as the server wrote it, to be sent back unchanged."""
    transaction_id: TransactionId
    server_signed1: bytes
    server_signature1: bytes
    euicc_ci_pk_id_to_be_used: bytes
    server_certificate: bytes

    @classmethod
    def of(cls, answer: Answer) -> InitiateAuthenticationAnswer:
        """Take the fields from an answer.

        Raises:
            MalformedError: a field is missing, of the wrong type, or invalid.
        """
        text = _text(answer.fields, "transactionId")
        return cls(
            transaction_id_text=text,
            transaction_id=TransactionId.from_hex(text),
            server_signed1=_binary(answer.fields, "serverSigned1"),
            server_signature1=_binary(answer.fields, "serverSignature1"),
            euicc_ci_pk_id_to_be_used=_binary(answer.fields, "euiccCiPKIdToBeUsed"),
            server_certificate=_binary(answer.fields, "serverCertificate"),
        )


class AuthenticateClientAnswer(Frozen):
    """The answer to AuthenticateClient (SGP.22 v2.5, 5.6.3); byte strings are DER with their own tag."""

    transaction_id: TransactionId
    profile_metadata: bytes
    smdp_signed2: bytes
    smdp_signature2: bytes
    smdp_certificate: bytes

    @classmethod
    def of(cls, answer: Answer) -> AuthenticateClientAnswer:
        """Take the fields from an answer.

        Raises:
            MalformedError: a field is missing, of the wrong type, or invalid.
        """
        return cls(
            transaction_id=answer.transaction_id,
            profile_metadata=_binary(answer.fields, "profileMetadata"),
            smdp_signed2=_binary(answer.fields, "smdpSigned2"),
            smdp_signature2=_binary(answer.fields, "smdpSignature2"),
            smdp_certificate=_binary(answer.fields, "smdpCertificate"),
        )


class GetBoundProfilePackageAnswer(Frozen):
    """The answer to GetBoundProfilePackage (SGP.22 v2.5, 5.6.2)."""

    transaction_id: TransactionId
    bound_profile_package: bytes
    """BF36, as received."""

    @classmethod
    def of(cls, answer: Answer) -> GetBoundProfilePackageAnswer:
        """Take the fields from an answer.

        Raises:
            MalformedError: a field is missing, of the wrong type, or invalid.
        """
        return cls(
            transaction_id=answer.transaction_id,
            bound_profile_package=_binary(answer.fields, "boundProfilePackage"),
        )


def initiate_authentication(*, euicc_challenge: bytes, euicc_info1: bytes, smdp_address: str) -> bytes:
    """Return the request body: challenge (16 bytes), EUICCInfo1, and the address as the server writes it."""
    return _encode(
        euiccChallenge=_base64(euicc_challenge), euiccInfo1=_base64(euicc_info1), smdpAddress=smdp_address
    )


def authenticate_client(*, transaction_id: str, authenticate_server_response: bytes) -> bytes:
    """Return the request body: the transaction ID as received, and AuthenticateServerResponse (BF38)."""
    return _encode(
        transactionId=transaction_id, authenticateServerResponse=_base64(authenticate_server_response)
    )


def get_bound_profile_package(*, transaction_id: str, prepare_download_response: bytes) -> bytes:
    """Return the request body: the transaction ID as received, and PrepareDownloadResponse (BF21)."""
    return _encode(transactionId=transaction_id, prepareDownloadResponse=_base64(prepare_download_response))


def handle_notification(*, pending_notification: bytes) -> bytes:
    """Return the request body: ProfileInstallationResult (BF37) or OtherSignedNotification (30)."""
    return _encode(pendingNotification=_base64(pending_notification))


def cancel_session(*, transaction_id: str, cancel_session_response: bytes) -> bytes:
    """Return the request body: the transaction ID as received, and CancelSessionResponse (BF41)."""
    return _encode(transactionId=transaction_id, cancelSessionResponse=_base64(cancel_session_response))


def one_line(text: str) -> str:
    """Return untrusted text as one printable line of limited length, for a log or a terminal."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = _BLANKS.sub(" ", printable).strip()
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def _says_executed(word: str) -> bool:
    return word.replace("-", "").replace(" ", "").lower() in ("executedsuccess", "executedwithwarning")


def _refusal(status: Mapping[str, Any]) -> Refusal:
    """Read the status data of Failed or Expired; malformed status data does not hide the refusal."""
    data = status.get("statusCodeData")
    if not isinstance(data, dict):
        data = {}
    return Refusal(
        subject_code=_code(data.get("subjectCode")),
        reason_code=_code(data.get("reasonCode")),
        subject_identifier=one_line(_text_or_empty(data.get("subjectIdentifier"))),
        message=one_line(_text_or_empty(data.get("message"))),
    )


def _code(value: object) -> str:
    text = _text_or_empty(value).strip()
    return text if _DOTTED.fullmatch(text) and len(text) <= 16 else ""


def _text_or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body, object_pairs_hook=json_object, parse_int=json_number)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the answer is not valid JSON ({len(body)} bytes)") from error
    if not isinstance(value, dict):
        raise MalformedError("the answer is JSON, but not an object")
    return value


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"the answer lacks the object '{name}'")
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedError(f"the answer lacks the text '{name}'")
    return value


def _binary(fields: Mapping[str, Any], name: str) -> bytes:
    text = _BLANKS.sub("", _text(fields, name))
    unpadded = text.rstrip("=")
    if not _BASE64.fullmatch(text):
        raise MalformedError(f"'{name}' is not valid base64")
    try:
        return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except binascii.Error as error:
        raise MalformedError(f"'{name}' is not valid base64") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _encode(**fields: str) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
