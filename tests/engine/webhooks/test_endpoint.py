"""Webhook endpoints: addresses, filters, and requests that the CloudEvents library reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudevents.v1.http import from_http
from hypothesis import given
from hypothesis import strategies as st

from engine.webhooks.receiver import endpoint
from lpad.base.errors import InvalidSettings, InvalidValue
from lpad.engine.events import event_types as types
from lpad.engine.events.cloud_event import Event, EventBody, Identifiers
from lpad.engine.events.event_data import ProfileData
from lpad.engine.events.happening import Happening
from lpad.engine.webhooks.endpoint import EndpointUrl

EID, ICCID = "89049032000000000000000000000017", "8900101000000000017"


def event(source: str = "gateway-17", *, euicc: str = "modem", at: float = 1_800_000_000.0) -> Event:
    happening = Happening(
        type=types.PROFILE_ENABLED,
        data=ProfileData(euicc=euicc, eid=EID, iccid=ICCID, change=7),
        euicc=euicc,
        at=at,
    )
    return Event(
        sequence=42,
        type=happening.type.name,
        droppable=False,
        body=EventBody.of(happening, source=source),
    )


@pytest.mark.parametrize("structured", [True, False])
@given(euicc=st.text(min_size=1, max_size=20), unset=st.booleans())
def test_the_cloudevents_library_reads_what_is_sent(*, structured: bool, euicc: str, unset: bool) -> None:
    """The CloudEvents library reads lpad's events in structured and binary mode, whatever the card's name."""
    if any("\ud800" <= c <= "\udfff" for c in euicc):
        return
    sent = event(euicc=euicc, at=0.0 if unset else 1_800_000_000.0)
    headers, body = endpoint("http://localhost/", structured=structured).request(sent, at=1_800_000_000.0)
    read: Any = from_http(headers, body)
    assert read["id"] == sent.body.id == headers["webhook-id"]
    assert (read["source"], read["type"], read["specversion"]) == (
        "gateway-17",
        "org.lpad.profile.enabled.v1",
        "1.0",
    )
    if structured or euicc.isascii():  # the library leaves percent-encoding in headers to its caller
        assert read["subject"] == euicc or not structured
    assert read["sequence"] == "000000000042"
    assert str(read.get("clockunset", "")).lower() == ("true" if unset else "")
    data = read.data if isinstance(read.data, dict) else json.loads(read.data)
    assert data == {"euicc": euicc, "eid": EID, "iccid": ICCID, "change": 7}


def test_headers_are_printable() -> None:
    """In binary mode, unprintable characters of headers are percent-encoded, as the HTTP binding requires."""
    headers, _ = endpoint("http://localhost/", structured=False).request(event(euicc='Mä "1%"'), at=0.0)
    assert headers["ce-subject"] == "M%C3%A4%20%221%25%22"
    assert headers["Content-Type"] == "application/json"


def test_redaction_leaves_the_last_digits() -> None:
    """An endpoint with redaction gets only the last digits of EID and ICCID."""
    _, body = endpoint("http://localhost/", identifiers=Identifiers.REDACTED).request(event(), at=0.0)
    assert json.loads(body)["data"] == {"euicc": "modem", "eid": "…0017", "iccid": "…0017", "change": 7}


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (("*",), True),
        (("org.lpad.profile.*",), True),
        (("org.lpad.profile.enabled.v1",), True),
        (("org.lpad.switch.*", "org.lpad.profile.*.v1"), True),
        (("org.lpad.switch.*",), False),
        (("ORG.LPAD.*",), False),
        ((), False),
    ],
)
def test_one_matching_pattern_is_enough(patterns: tuple[str, ...], *, wanted: bool) -> None:
    """An endpoint wants an event if one of the endpoint's patterns matches the event's type."""
    assert endpoint("http://localhost/", types=patterns).wants("org.lpad.profile.enabled.v1") is wanted


@pytest.mark.parametrize(
    ("url", "server", "target", "encrypted"),
    [
        ("https://hooks.example.com/lpad?token=a", "hooks.example.com", "/lpad?token=a", True),
        ("https://hooks.example.com:8443", "hooks.example.com:8443", "/", True),
        ("http://localhost/x", "localhost:80", "/x", False),
        ("http://127.0.0.1:9000/x", "127.0.0.1:9000", "/x", False),
        ("https://localhost/x", "localhost", "/x", True),
    ],
)
def test_only_this_device_may_use_http(url: str, server: str, target: str, *, encrypted: bool) -> None:
    """An endpoint's address may use https for any host, but http only for this device."""
    found = EndpointUrl.parse(url)
    assert (str(found.server), found.target, found.encrypted) == (server, target, encrypted)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https://user:password@hooks.example.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/a b",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/ä",
        "https://[::1/",
    ],
)
def test_invalid_endpoint_addresses_are_refused(url: str) -> None:
    """An invalid endpoint address raises InvalidValue."""
    with pytest.raises(InvalidValue):
        EndpointUrl.parse(url)


def test_nothing_leaves_unsigned() -> None:
    """An endpoint needs a key, and its text form shows neither the key nor the address's path."""
    with pytest.raises(InvalidSettings):
        endpoint("http://localhost/", keys=())
    shown = repr(endpoint("http://localhost/secret-path"))
    assert "secret" not in shown
