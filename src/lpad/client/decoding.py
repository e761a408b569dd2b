"""Decoding of the daemon's answers, problems and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lpad.client.views import ApiError, Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_T = TypeVar("_T")


def decoded(content: bytes, type_: type[_T]) -> _T:
    """Return an answer's body, decoded as a type.

    Raises:
        ApiError: the body does not match the type.
    """
    try:
        return msgspec.json.decode(content, type=type_)
    except ValueError as error:
        raise ApiError(f"cannot decode lpad's answer: {error}", kind="malformed") from error


def problem(content: bytes, *, status: int) -> ApiError:
    """Return the error that a refusing answer describes."""
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


class EventReader:
    """A reader of Server-Sent Events, limited to the part of the grammar that the daemon uses."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, str] = {}

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that a piece of the stream completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.decode().partition(":")
            if line and name:
                self._fields[name] = value.removeprefix(" ")
            elif not line and "data" in self._fields:
                fields, self._fields = self._fields, {}
                data = msgspec.json.decode(fields["data"], type=dict[str, Any])
                yield Event(id=fields.get("id", ""), type=fields.get("event", "message"), data=data)


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the Server-Sent Events in a stream of bytes, each as soon as it is complete."""
    reader = EventReader()
    for chunk in chunks:
        yield from reader.feed(chunk)
