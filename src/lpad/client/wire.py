"""Decoding of the daemon's answers, problems and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lpad.client.views import ApiError, Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_T = TypeVar("_T")


def decoded(content: bytes, type_: type[_T]) -> _T:
    """Return an answer's body, typed.

    Raises:
        ApiError: the text does not match the type.
    """
    try:
        return msgspec.json.decode(content, type=type_)
    except ValueError as error:
        raise ApiError(f"cannot decode lpad's answer: {error}", kind="malformed") from error


def problem(content: bytes, *, status: int) -> ApiError:
    """Return the error in a problem answer."""
    try:
        told = msgspec.json.decode(content, type=dict[str, Any])
    except ValueError:
        told = {}
    return ApiError(
        str(told.get("detail") or f"lpad answered with HTTP status {status}"),
        kind=str(told.get("kind") or "error"),
        retryable=bool(told.get("retryable")),
        status=status,
        details=told.get("details") or {},
        answer=told or None,
    )


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Read Server-Sent Events, in the daemon's part of the grammar, each as soon as it is complete."""
    fields: dict[str, str] = {}
    for line in _lines(chunks):
        name, _, value = line.partition(":")
        if line and name:
            fields[name] = value.removeprefix(" ")
        elif not line and "data" in fields:
            data = msgspec.json.decode(fields["data"], type=dict[str, Any])
            yield Event(id=fields.get("id", ""), type=fields.get("event", "message"), data=data)
            fields = {}


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Cut a stream into lines, each as soon as it is complete."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode()
