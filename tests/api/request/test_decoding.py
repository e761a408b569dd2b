"""The error for a mistake in a request's body names the field, and the value that is expected."""

from __future__ import annotations

import msgspec
import pytest

from lpad.api.request.decoding import decoded
from lpad.api.request.request_bodies import (
    AnswerRequest,
    DownloadRequest,
    EnableRequest,
    EuiccPatch,
    NoBody,
    ProfilePatch,
)
from lpad.base.errors import InvalidValue

LONG = "x" * 256


@pytest.mark.parametrize(
    ("type_", "body", "sentence"),
    [
        (ProfilePatch, b"{}", "'nickname' is missing"),
        (ProfilePatch, b'{"nick": "x"}', "there is no field 'nick'; the known fields are: nickname"),
        (NoBody, b'{"x": 1}', "there is no field 'x'; this request accepts none"),
        (EnableRequest, b'{"guard": {"until": ["registered"], "x": 1}}', "there is no field 'guard.x'"),
        (EnableRequest, b'{"guard": {"until": []}}', "'guard.until' must be a list of at least 1 item"),
        (
            EnableRequest,
            b'{"guard": {"until": [3]}}',
            "'guard.until[0]' must be text, but is a whole number",
        ),
        (
            EnableRequest,
            b'{"guard": {"until": ["registered"], "within": 0}}',
            "'guard.within' must be a number of at least 1",
        ),
        (DownloadRequest, b'{"retry_for": 1e9}', "'retry_for' must be a number of at most 2592000"),
        (DownloadRequest, b'{"retry_for": 1e999}', "'retry_for': number out of range"),
        (
            DownloadRequest,
            b'{"activation_code": ""}',
            "'activation_code' must be text of at least 1 character",
        ),
        (
            EuiccPatch,
            msgspec.json.encode({"default_smdp": LONG}),
            "'default_smdp' must be text of at most 255 characters",
        ),
        (AnswerRequest, b'{"decision": "x"}', "'decision' must be one of accept, reject, postpone"),
        (AnswerRequest, b'{"confirm": "x"}', "'confirm' must be true or false, but is text"),
        (AnswerRequest, b"[]", "it must be an object, but is a list"),
    ],
)
def test_a_wrong_field_is_named_without_its_value(
    type_: type[msgspec.Struct], body: bytes, sentence: str
) -> None:
    """The error names the field and the expected value, but not the given one, which may be a secret."""
    with pytest.raises(InvalidValue) as refused:
        decoded(body, type_)
    assert refused.value.sentence == f"the request's body cannot be used: {sentence}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"nickname"', "it is not valid JSON (truncated)"),
        (b'{"nickname": "x"} y', "it is not valid JSON (trailing characters (byte 19))"),
        (b'{"nickname": "\xff"}', "it is not valid UTF-8"),
    ],
)
def test_invalid_json_differs_from_unfit_json(body: bytes, why: str) -> None:
    """The error distinguishes bytes that are not valid JSON from JSON that does not fit the schema."""
    with pytest.raises(InvalidValue) as refused:
        decoded(body, ProfilePatch)
    assert refused.value.sentence == f"the request's body cannot be read: {why}"


def test_an_empty_body_has_no_fields() -> None:
    """A request without required fields may have an empty body."""
    assert decoded(b" \n", EnableRequest) == EnableRequest()
