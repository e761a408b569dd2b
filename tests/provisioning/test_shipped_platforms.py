"""The shipped platform files with simulated platforms: orders, lines and errors."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.errors import PlatformBusy, PlatformRefused
from lpad.provisioning.declared.platform_file import read_declaration, shipped
from lpad.provisioning.platform_interface import Line, Stage
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.smdp.store.order import OrderState
from provisioning.bench import EID, ORDERING, OTHER_EID, WISH, soon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.bench import Bench

BY_CODE = ("soracom", "telnyx", "yoni")


@pytest.mark.parametrize("like", BY_CODE)
def test_a_whole_life_by_code(bench: Bench, like: str) -> None:
    """A profile is ordered, queried until it has a matching ID, and then reported as installed."""
    server = bench.platform(like)
    platform = bench.opened(server)
    seen = platform.order(WISH, deadline=soon())
    for _ in range(4):
        if seen.profile is Stage.AVAILABLE and seen.ticket is not None:
            break
        assert seen.profile in (Stage.PENDING, Stage.AVAILABLE)
        seen = platform.look(seen, deadline=soon())
    (order,) = bench.orders.all()
    assert seen.ticket is not None
    assert (seen.ticket.matching_id, seen.iccid) == (order.matching_id, order.metadata.iccid)
    bench.orders.change(order.id, state=OrderState.INSTALLED)
    if like != "yoni":  # Yoni does not report installations.
        assert platform.look(seen, deadline=soon()).profile is Stage.INSTALLED


@pytest.mark.parametrize("like", ORDERING)
def test_an_order_is_found_or_repeated(bench: Bench, like: str) -> None:
    """After an order, `find` returns it, or a repeated order leads to the same order."""
    server = bench.platform(like)
    platform = bench.opened(server)
    made = platform.order(WISH, deadline=soon())
    for _ in range(30):  # other orders of the account
        server.stock.order(eid=OTHER_EID, reference="other", product="plan01s")
    before = server.orders
    found = platform.find(WISH, deadline=soon())
    if found:
        assert [each.id for each in found] == [made.id]
    else:
        assert platform.can.repeats
        assert platform.order(WISH, deadline=soon()).id == made.id
        assert server.orders == before


def test_orders_on_further_pages_are_found(bench: Bench) -> None:
    """`find` follows the header that names the next page, and finds an order on the last page."""
    server = bench.platform("soracom")
    for number in range(230):
        server.stock.order(reference=f"other-{number}", product="plan01s")
    mine = server.stock.order(reference=WISH.reference, product="plan01s")
    assert [each.id for each in bench.opened(server).find(WISH, deadline=soon())] == [mine.id]
    assert server.calls["find"] == 3


def test_a_draft_is_found_and_confirmed(bench: Bench) -> None:
    """`find` returns an order that is still a draft, which can be confirmed without a second order."""
    server = bench.platform("soracom")
    platform = bench.opened(server)
    server.faults.add(PlatformFault.STATUS, call="confirm", value="500")
    with pytest.raises(Exception, match="HTTP 500"):
        platform.order(WISH, deadline=soon())
    (draft,) = platform.find(WISH, deadline=soon())
    assert draft.draft
    made = platform.order(WISH, draft=draft, deadline=soon())
    assert (made.draft, server.orders) == (False, 1)
    assert platform.release(made, deadline=soon()).profile is Stage.GONE
    assert platform.look(made, deadline=soon()).profile is Stage.GONE


def test_a_telnyx_line_is_enabled_and_disabled(bench: Bench) -> None:
    """A line at Telnyx can be activated and suspended, and its state is read."""
    server = bench.platform("telnyx")
    platform = bench.opened(server)
    made = platform.order(WISH, deadline=soon())
    assert made.line is Line.IDLE
    platform.activate(made, WISH, deadline=soon())
    assert platform.look(made, deadline=soon()).line is Line.LIVE
    platform.suspend(made, deadline=soon())
    assert platform.look(made, deadline=soon()).line is Line.IDLE


def test_yoni_with_a_wrong_clock(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """If the device's clock is years behind, lpad signs with Yoni's time after one refusal."""
    caplog.set_level(logging.WARNING, "lpad.provisioning")
    server = bench.platform("yoni")
    server.clock_offset = 3e8
    platform = bench.opened(server)
    assert platform.order(WISH, deadline=soon()).profile is Stage.PENDING
    assert (server.calls["order"], server.orders) == (2, 1)
    platform.look(platform.order(WISH, deadline=soon()), deadline=soon())
    assert (server.calls["order"], server.calls["look"]) == (3, 1)
    assert len([each for each in caplog.records if "clock" in each.getMessage()]) == 1


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (PlatformFault.NO_BALANCE, "no-balance"),
        (PlatformFault.UNKNOWN_PRODUCT, "unknown-product"),
        (PlatformFault.NO_STOCK, "rejected"),
    ],
)
def test_yonis_errors_under_200(bench: Bench, fault: PlatformFault, cause: str) -> None:
    """An error code of Yoni in an answer with HTTP 200 is a refusal with its cause."""
    server = bench.platform("yoni")
    server.faults.add(fault, call="order")
    with pytest.raises(PlatformRefused) as caught:
        bench.opened(server).order(WISH, deadline=soon())
    assert caught.value.details["cause"] == cause


def test_yonis_products_have_price_and_days(bench: Bench) -> None:
    """Yoni's packages are listed with price and days, as texts."""
    (product,) = bench.opened(bench.platform("yoni")).products(deadline=soon())
    assert (product.id, product.price, product.validity) == ("EU-1GB-30D", "3.50", "30")


def test_yoni_is_busy(bench: Bench) -> None:
    """Yoni's code 102 in an answer with HTTP 200 raises PlatformBusy."""
    server = bench.platform("yoni")
    vendor = server.vendor
    platform = bench.opened(server)
    answer = replace(vendor.refused(PlatformFault.NO_STOCK), content={"code": 102, "msg": "busy"})
    vendor.do_order = lambda request, faults: answer  # type: ignore[attr-defined]
    with pytest.raises(PlatformBusy):
        platform.order(WISH, deadline=soon())


def test_things_changes_lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """At `things`, a line is found by EID with its IMEI, and activated, suspended and retired."""
    server = bench.platform("things")
    thing = server.stock.order(eid=EID)
    for _ in range(2):
        server.stock.look(thing)
    thing.imei = "490154203237518"
    platform = bench.opened(server)
    assert not platform.can.orders
    (found,) = platform.find(WISH, deadline=soon())
    assert (found.line, found.imei) == (Line.IDLE, "490154203237518")
    platform.activate(found, WISH, deadline=soon())
    assert platform.look(found, deadline=soon()).line is Line.LIVE
    platform.suspend(found, deadline=soon())
    assert platform.look(found, deadline=soon()).line is Line.IDLE
    assert found.iccid is not None
    entries = platform._caller.entries

    def spelt(*call: Any, **named: Any) -> Iterator[dict[str, str]]:
        for fields in entries(*call, **named):
            yield {**fields, "iccid": f"{fields['iccid'].lower()}F"}

    with monkeypatch.context() as patched:
        patched.setattr(platform._caller, "entries", spelt)
        assert platform.line_of(found.iccid, deadline=soon()) is not None, "another spelling was not found"
    line = platform.line_of(found.iccid, deadline=soon())
    assert line is not None
    assert platform.retire(line, deadline=soon()).line in (Line.ENDED, Line.IDLE)
    assert platform.look(found, deadline=soon()).line is Line.ENDED


@pytest.mark.parametrize("like", sorted(shipped()))
def test_the_simulated_address_is_the_vendors(bench: Bench, like: str) -> None:
    """The base address of a simulated platform is that of the platform file, if the file has one."""
    declared = read_declaration(shipped()[like]).base
    assert declared in (None, bench.platform(like).base)
