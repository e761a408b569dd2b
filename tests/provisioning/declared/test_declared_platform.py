"""Declared platforms with simulated ones: each call, and platforms' faults and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from lpad.base.errors import (
    Conflict,
    PlatformBusy,
    PlatformRefused,
    PlatformUnclear,
    ServerFailed,
    ServerMalformed,
    ServerUnreachable,
)
from lpad.provisioning.platform_interface import Line, Stage
from lpad.remote.https.connection import HttpAnswer, HttpsConnection
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.smdp.store.order import OrderState
from provisioning.bench import EID, LIKES, OTHER_EID, SMDP, WISH, soon
from provisioning.platform_adapter import session_for

if TYPE_CHECKING:
    from lpad.provisioning.declared.declared_platform import DeclaredPlatform
    from lpad.provisioning.platform_interface import Reservation
    from provisioning.bench import Bench


def available(platform: DeclaredPlatform) -> Reservation:
    """Order a profile, and query until it can be downloaded; return the reservation."""
    reservation = platform.order(WISH, deadline=soon())
    for _ in range(5):
        if reservation.profile is Stage.AVAILABLE:
            return reservation
        reservation = platform.look(reservation, deadline=soon())
    raise AssertionError(reservation)


@pytest.mark.parametrize("like", LIKES)
def test_a_whole_life(bench: Bench, like: str) -> None:
    """A profile is ordered, found, queried, activated, downloaded by its ticket, and installed."""
    server = bench.platform(like)
    platform = bench.opened(server)
    assert platform.find(WISH, deadline=soon()) == ()
    ordered = platform.order(WISH, deadline=soon())
    assert (ordered.profile, ordered.ticket) == (Stage.PENDING, None)
    (found,) = platform.find(WISH, deadline=soon())
    assert found.id == ordered.id
    reservation = available(platform)
    assert reservation.ticket is not None
    assert (reservation.ticket.address.host, reservation.ticket.matching_id) == (SMDP, "")
    assert reservation.line is Line.IDLE
    assert platform.activate(reservation, WISH, deadline=soon()).line in (Line.CHANGING, Line.LIVE)
    assert platform.look(reservation, deadline=soon()).line is Line.LIVE
    order = bench.orders.all()[-1]
    assert (order.eid, order.metadata.iccid) == (EID, reservation.iccid)
    for state, stage in (
        (OrderState.DOWNLOADED, Stage.DOWNLOADED),
        (OrderState.INSTALLED, Stage.INSTALLED),
    ):
        bench.orders.change(order.id, state=state)
        assert platform.look(reservation, deadline=soon()).profile is stage
    assert reservation.iccid is not None
    line = platform.line_of(reservation.iccid, deadline=soon())
    assert line is not None
    assert line.line is Line.LIVE
    assert platform.suspend(line, deadline=soon()).line in (Line.IDLE, Line.ENDED)


def test_a_desk_repeats_no_wish(bench: Bench) -> None:
    """At a desk, a repeated order with the same reference leads to the first order."""
    server = bench.platform("desk")
    platform = bench.opened(server)
    first = platform.order(WISH, deadline=soon())
    assert platform.order(WISH, deadline=soon()).id == first.id
    assert server.orders == 1


def test_a_desk_takes_a_wish_back(bench: Bench) -> None:
    """At a desk, a reservation can be released before a download, even twice, and is then gone."""
    platform = bench.opened(bench.platform("desk"))
    reservation = available(platform)
    assert platform.release(reservation, deadline=soon()).profile is Stage.GONE
    assert platform.release(reservation, deadline=soon()).profile is Stage.GONE
    assert platform.look(reservation, deadline=soon()).profile is Stage.GONE
    assert bench.orders.all()[0].state is OrderState.CANCELLED


def test_a_platform_lists_its_products(bench: Bench) -> None:
    """A desk lists its products with price and validity, and refuses an order for an unknown one."""
    platform = bench.opened(bench.platform("desk"))
    products = platform.products(deadline=soon())
    assert [(each.id, each.price, each.validity) for each in products] == [
        ("global-1gb", "4.20 EUR", "30 days"),
        ("europe-5gb", "9.00 EUR", "30 days"),
    ]
    assert (
        platform.order(msgspec.structs.replace(WISH, product="europe-5gb"), deadline=soon()).profile
        is Stage.PENDING
    )
    other = msgspec.structs.replace(WISH, reference="lpad-other", product="moon-1gb")
    with pytest.raises(PlatformRefused) as caught:
        platform.order(other, deadline=soon())
    assert caught.value.details["cause"] == "unknown-product"


def test_a_call_that_is_not_declared(bench: Bench) -> None:
    """A call that the description lacks raises Conflict with the call's name."""
    platform = bench.opened(bench.platform("twilio"))
    with pytest.raises(Conflict, match="no call 'release'"):
        platform.release(platform.order(WISH, deadline=soon()), deadline=soon())


def test_another_cards_order_is_not_used(bench: Bench) -> None:
    """If a platform ignores the filter by EID, `find` does not return another card's order."""
    server = bench.platform("twilio")
    server.stock.order(eid=OTHER_EID)
    platform = bench.opened(server)
    server.vendor.do_find = (  # type: ignore[attr-defined]  # ignores the query
        lambda request, faults: type(server.vendor).do_find(  # type: ignore[attr-defined]
            server.vendor, replace(request, query={}), faults=faults
        )
    )
    assert platform.find(WISH, deadline=soon()) == ()


def test_all_pages_of_a_list_are_read(bench: Bench) -> None:
    """`find` reads all pages of a list."""
    server = bench.platform("twilio")
    for _ in range(70):
        server.stock.order(eid=EID)
    assert len(bench.opened(server).find(WISH, deadline=soon())) == 70


@pytest.mark.parametrize("like", ["desk", "twilio"])
@pytest.mark.parametrize("fault", [PlatformFault.NEXT_ELSEWHERE, PlatformFault.NEXT_LOOP])
def test_pages_that_lead_astray(bench: Bench, like: str, fault: PlatformFault) -> None:
    """If the next page is on another host, or was already read, `find` raises PlatformUnclear."""
    server = bench.platform(like)
    server.faults.add(fault, call="find", times=0)
    with pytest.raises(PlatformUnclear, match=r"another server|leads back"):
        bench.opened(server).find(WISH, deadline=soon())
    assert server.calls["find"] <= 3


@pytest.mark.parametrize(
    ("fault", "value", "error"),
    [
        (PlatformFault.LOST_ANSWER, "", ServerUnreachable),
        (PlatformFault.LOST_REQUEST, "", ServerUnreachable),
        (PlatformFault.STATUS, "500", ServerFailed),
        (PlatformFault.STATUS, "502", ServerFailed),
        (PlatformFault.UNAVAILABLE, "", ServerFailed),
        (PlatformFault.UNAVAILABLE, "5", PlatformBusy),
        (PlatformFault.HTML, "", PlatformUnclear),
        (PlatformFault.EMPTY, "", PlatformUnclear),
        (PlatformFault.TRUNCATED, "", PlatformUnclear),
        (PlatformFault.CHARSET, "", PlatformUnclear),
        (PlatformFault.HUGE, "", ServerMalformed),
        (PlatformFault.GZIP_BOMB, "", ServerMalformed),
        (PlatformFault.REDIRECT, "https://elsewhere.example.net/", PlatformUnclear),
    ],
)
def test_a_lost_answer_leaves_the_outcome_open(
    bench: Bench, fault: PlatformFault, value: str, error: type[Exception]
) -> None:
    """If the answer to an order is lost or broken, the error is retryable; a huge one is malformed."""
    server = bench.platform("twilio")
    server.faults.add(fault, call="order", value=value)
    with pytest.raises(error) as caught:
        bench.opened(server).order(WISH, deadline=soon())
    assert caught.value.retryable or error is ServerMalformed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("", None),
        ("999999999999999999999999", 86400),
        ("soon", None),
        ("-5", None),
    ],
)
@pytest.mark.parametrize("call", ["token", "order"])
def test_status_429_means_later(bench: Bench, call: str, value: str, seconds: int | None) -> None:
    """HTTP 429 raises PlatformBusy; Retry-After is limited to a day, and invalid values are ignored."""
    server = bench.platform("kore")
    server.faults.add(PlatformFault.BUSY, call=call, value=value)
    with pytest.raises(PlatformBusy) as caught:
        bench.opened(server).order(WISH, deadline=soon())
    assert caught.value.details.get("retry_after") == seconds
    assert caught.value.details["http_status"] == 429
    assert server.orders == 0


@pytest.mark.parametrize(
    ("like", "fault", "cause", "words"),
    [
        ("twilio", PlatformFault.NO_STOCK, "no-stock", "No eSIM Profiles are available"),
        ("kore", PlatformFault.NO_STOCK, "no-stock", "No eSIM Profiles are available"),
        ("twilio", PlatformFault.NOT_ELIGIBLE, "settings", "Invalid parameter: Eid"),
        ("desk", PlatformFault.NO_STOCK, "no-stock", "the desk says no-stock"),
        ("desk", PlatformFault.NO_BALANCE, "no-balance", "the desk says no-balance"),
        ("desk", PlatformFault.NOT_ELIGIBLE, "not-eligible", "the desk says not-eligible"),
    ],
)
def test_a_refusal_has_cause_and_words(
    bench: Bench, like: str, fault: PlatformFault, cause: str, words: str
) -> None:
    """The error of a refusal has lpad's cause and the platform's words."""
    server = bench.platform(like)
    server.faults.add(fault, call="order")
    with pytest.raises(PlatformRefused) as caught:
        bench.opened(server).order(WISH, deadline=soon())
    assert (caught.value.details["cause"], caught.value.details["words"]) == (cause, words)
    assert words in caught.value.sentence
    assert not caught.value.retryable


@pytest.mark.parametrize("like", LIKES)
def test_wrong_credentials_have_a_cause_of_their_own(bench: Bench, like: str) -> None:
    """If the platform refuses the credentials, the error has the cause `credentials`."""
    server = bench.platform(like)
    wrong = dict.fromkeys(server.credentials, "wrong")
    with pytest.raises(PlatformRefused) as caught:
        bench.opened(server, credentials=wrong).order(WISH, deadline=soon())
    assert caught.value.details["cause"] == "credentials"
    assert server.orders == 0


@pytest.mark.parametrize("like", LIKES)
def test_a_state_that_no_table_has(bench: Bench, like: str) -> None:
    """An unknown word for a state is reported as unknown, and a later query can give a known one."""
    server = bench.platform(like)
    platform = bench.opened(server)
    ordered = platform.order(WISH, deadline=soon())
    server.faults.add(PlatformFault.UNKNOWN_STATE, call="look")
    seen = platform.look(ordered, deadline=soon())
    assert (seen.profile, seen.unknown) == (Stage.UNKNOWN, ("reticulating",))
    assert platform.look(seen, deadline=soon()).unknown == ()


@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize(
    "fault", [PlatformFault.EXTRA_FIELDS, PlatformFault.MISSING_FIELDS, PlatformFault.NUMBER_ICCID]
)
def test_odd_fields_do_not_stop_a_wish(bench: Bench, like: str, fault: PlatformFault) -> None:
    """Extra fields are ignored, missing ones keep earlier values, and a numeric ICCID is read."""
    server = bench.platform(like)
    platform = bench.opened(server)
    reservation = available(platform)
    server.faults.add(fault, call="look")
    seen = platform.look(reservation, deadline=soon())
    assert (seen.profile, seen.iccid, seen.ticket) == (
        Stage.AVAILABLE,
        reservation.iccid,
        reservation.ticket,
    )


@pytest.mark.parametrize("like", LIKES)
def test_a_reservation_that_vanishes(bench: Bench, like: str) -> None:
    """If a platform no longer knows a reservation, the reservation is gone."""
    server = bench.platform(like)
    platform = bench.opened(server)
    reservation = available(platform)
    server.faults.add(PlatformFault.VANISHES, call="look")
    assert platform.look(reservation, deadline=soon()).profile is Stage.GONE


def test_a_line_that_needs_a_fleet(bench: Bench) -> None:
    """If activation needs a missing option, the error names the option, and nothing is sent."""
    server = bench.platform("twilio")
    platform = bench.opened(server, options={})
    reservation = available(platform)
    with pytest.raises(Exception, match=r"option\.fleet.*--option fleet=VALUE"):
        platform.activate(reservation, WISH, deadline=soon())
    assert server.calls["activate"] == 0


def test_a_refused_activation_has_its_cause(bench: Bench) -> None:
    """A refused activation's error has the cause; while the line still changes, PlatformBusy is raised."""
    server = bench.platform("kore")
    platform = bench.opened(server)
    reservation = available(platform)
    server.faults.add(PlatformFault.LINE_REFUSED, call="activate")
    with pytest.raises(PlatformRefused) as caught:
        platform.activate(reservation, WISH, deadline=soon())
    assert caught.value.details["cause"] == "settings"
    server.faults.add(PlatformFault.LINE_STUCK, call="activate")
    assert platform.activate(reservation, WISH, deadline=soon()).line is Line.CHANGING
    with pytest.raises(PlatformBusy):
        platform.activate(reservation, WISH, deadline=soon())


def test_an_answer_that_leads_to_its_result(bench: Bench) -> None:
    """A redirection on the platform's host is accepted if the call allows it; otherwise it is unclear."""
    server = bench.platform("twilio")
    path = bench.folder / "redirecting.yaml"
    path.write_text("like: twilio\ncalls: {activate: {accepts: [302]}}\n")
    accepting = bench.opened(server, like=path)
    plain = bench.opened(server)
    reservation = available(plain)
    here, elsewhere = "/v1/Sims/1", "https://elsewhere.example.net/"
    for value, accepts, name in [(here, True, ""), (here, False, "plain"), (elsewhere, True, "elsewhere")]:
        server.faults.add(PlatformFault.REDIRECT, call="activate", value=value)
        platform = accepting if accepts else plain
        if not name:
            assert platform.activate(reservation, WISH, deadline=soon()).id == reservation.id
            continue
        with pytest.raises(PlatformUnclear, match="redirection"):
            platform.activate(reservation, WISH, deadline=soon())


def test_a_token_that_is_redirected(bench: Bench) -> None:
    """A redirection in answer to a request for a token raises PlatformUnclear."""
    server = bench.platform("kore")
    server.faults.add(PlatformFault.REDIRECT, call="token", value="/login")
    with pytest.raises(PlatformUnclear, match="redirection"):
        bench.opened(server).find(WISH, deadline=soon())


def test_one_token_serves_many_calls(bench: Bench) -> None:
    """A token is used for many calls; after a refusal it is renewed once, and a second refusal is final."""
    server = bench.platform("kore")
    platform = bench.opened(server)
    reservation = platform.order(WISH, deadline=soon())
    platform.look(reservation, deadline=soon())
    assert server.calls["token"] == 1
    server.faults.add(PlatformFault.TOKEN_EXPIRED, call="look")
    platform.look(reservation, deadline=soon())
    assert (server.calls["token"], server.calls["look"]) == (2, 3)
    server.faults.add(PlatformFault.TOKEN_EXPIRED, call="look", times=2)
    with pytest.raises(PlatformRefused) as caught:
        platform.look(reservation, deadline=soon())
    assert caught.value.details["cause"] == "credentials"
    assert (server.calls["token"], server.calls["look"]) == (3, 5)


def test_a_token_outlives_the_daemon(bench: Bench) -> None:
    """A token is kept in a private file, and used after a restart with the same credentials only."""
    server = bench.platform("kore")
    folder = bench.folder / "tokens"
    folder.mkdir()
    for _ in range(3):
        with bench.openable(server, tokens=folder).opened() as platform:
            platform.find(WISH, deadline=soon())
    assert server.calls["token"] == 1
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    credentials = {**server.credentials, "client_secret": "another"}
    with (
        bench.openable(server, tokens=folder, credentials=credentials).opened() as platform,
        pytest.raises(PlatformRefused),
    ):
        platform.find(WISH, deadline=soon())
    assert server.calls["token"] == 2


def test_no_secret_is_shown(bench: Bench) -> None:
    """The text forms of reservations, settings and exchanges contain no codes and no credentials."""
    server = bench.platform("desk")
    openable = bench.openable(server)
    platform = bench.opened(server)
    reservation = available(platform)
    assert SMDP not in repr(reservation)
    assert server.credentials["key"] not in repr(openable.settings)
    assert all(server.credentials["key"] not in repr(each) for each in bench.exchanges)


def test_a_request_in_chunks(bench: Bench) -> None:
    """The simulated platform accepts a chunked request, and refuses one that is too long with 413."""
    server = bench.platform("twilio")
    session = session_for(server, bench.ca)
    session.auth = tuple(server.credentials.values())  # type: ignore[assignment]  # of two values
    url = "https://supersim.twilio.com/v1/ESimProfiles"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = session.post(url, data=iter([b"Eid=", EID.encode()]), headers=form)
    assert (answer.status_code, answer.json()["eid"]) == (201, EID)
    assert session.post(url, data=iter([b"x" * (1 << 20), b"y"]), headers=form).status_code == 413
    assert server.orders == 1


Altering = Callable[[HttpAnswer], HttpAnswer]


@pytest.fixture
def altering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Altering], None]:
    """Return a function that has each answer altered by a given function."""
    whole = HttpsConnection.send

    def alter(by: Altering) -> None:
        monkeypatch.setattr(HttpsConnection, "send", lambda *args, **rest: by(whole(*args, **rest)))

    return alter


def test_a_header_that_is_not_ascii(bench: Bench, altering: Callable[[Altering], None]) -> None:
    """A header that is not ASCII does not hinder an order."""
    altering(lambda answer: msgspec.structs.replace(answer, headers=(*answer.headers, ("Server", "caf\xe9"))))
    assert bench.opened(bench.platform("desk")).order(WISH, deadline=soon()).id


@pytest.mark.parametrize("following", ["//[x", "https://[x/", "http://a\u2100b/", "https://\ufffd.example/"])
def test_a_next_page_that_is_not_an_address(
    bench: Bench, altering: Callable[[Altering], None], following: str
) -> None:
    """If the next page is not a valid URL, `find` raises PlatformUnclear."""
    said = json.dumps(following).encode()
    altering(
        lambda answer: msgspec.structs.replace(
            answer, body=answer.body.replace(b'"next": null', b'"next": ' + said)
        )
    )
    with pytest.raises(PlatformUnclear, match="another server"):
        bench.opened(bench.platform("desk")).find(WISH, deadline=soon())


@pytest.mark.parametrize("token", ["a\r\nX-Other: 1", "\u20ac", "\x00", "\ud800"])
def test_a_token_that_no_header_can_have(
    bench: Bench, altering: Callable[[Altering], None], token: str
) -> None:
    """A token that a header cannot contain raises PlatformUnclear, and is not sent."""
    said = json.dumps(token).encode()
    altering(
        lambda answer: msgspec.structs.replace(
            answer, body=re.sub(rb'("access_token": ?)"[^"]*"', lambda m: m[1] + said, answer.body)
        )
    )
    server = bench.platform("kore")
    with pytest.raises(PlatformUnclear):
        bench.opened(server).find(WISH, deadline=soon())
    assert server.calls["find"] == 0
