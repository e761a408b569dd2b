"""The pool of activation codes: no code is used twice, even after an interruption."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hil.orders.activation_code_pool import CodePool
from lpad.base.errors import Conflict, InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path


def pool(folder: Path, *codes: dict[str, Any], place: str = "a") -> CodePool:
    path = folder / "codes.yaml"
    if codes:
        path.write_text(yaml.safe_dump({"codes": list(codes)}))
    return CodePool(path, place=place)


def spend_one(folder: Path) -> str | None:
    """Lease a code and use it up; return the code, or None if the pool is empty."""
    lease = pool(folder).lease()
    return lease.spend() if lease is not None else None


def hold_one(folder: Path) -> None:
    """Lease a code and end without returning it."""
    assert pool(folder).lease() is not None


def test_each_code_is_leased_once(tmp_path: Path) -> None:
    """Places that lease at the same time get different codes; an empty pool gives no code."""
    pool(tmp_path, *({"code": f"1$s$C{index}"} for index in range(6)))
    with multiprocessing.get_context("spawn").Pool(3) as processes:
        got = processes.map(spend_one, [tmp_path] * 8)
    assert sorted(filter(None, got)) == [f"1$s$C{index}" for index in range(6)]
    assert got.count(None) == 2


def test_a_leased_code_belongs_to_one_test(tmp_path: Path) -> None:
    """A leased code is not leased again; if returned unspent, it is free, otherwise used up."""
    codes = pool(tmp_path, {"code": "1$s$A"})
    lease = codes.lease()
    assert lease is not None
    assert pool(tmp_path).lease() is None
    lease.give_back()
    again = codes.lease()
    assert again is not None
    assert again.spend() == "1$s$A"
    again.give_back()
    assert codes.lease() is None
    with pytest.raises(Conflict):
        again.spend()


def test_a_holder_that_died(tmp_path: Path) -> None:
    """Unspent codes that a killed process had leased can be leased again."""
    codes = pool(tmp_path, {"code": "1$s$A"})
    process = multiprocessing.get_context("spawn").Process(target=hold_one, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert codes.lease() is not None


def test_a_line_that_was_cut_off(tmp_path: Path) -> None:
    """An incomplete line at the end of the file of leases is ignored, and does not spoil later lines."""
    codes = pool(tmp_path, {"code": "1$s$A"}, {"code": "1$s$B"})
    first = codes.lease()
    assert first is not None
    first.spend()
    with (tmp_path / "codes.yaml.leases").open("ab") as file:
        file.write(b'{"event": "spe')
    second = pool(tmp_path).lease()
    assert second is not None
    assert second.spend() == "1$s$B"
    assert pool(tmp_path).lease() is None


def test_leases_hold_no_codes(tmp_path: Path) -> None:
    """The file of leases contains neither an activation code nor a confirmation code."""
    lease = pool(tmp_path, {"code": "1$smdp.example.com$SECRET", "confirmation_code": "4711"}).lease(
        confirmation=True
    )
    assert lease is not None
    assert lease.spend() is not None
    text = (tmp_path / "codes.yaml.leases").read_text()
    assert "SECRET" not in text
    assert "4711" not in text


def test_codes_are_found_by_their_kind(tmp_path: Path) -> None:
    """The pool leases a code that fits the request, an order to its place, a reusable code repeatedly."""
    orders: list[dict[str, Any]] = [
        {"code": "1$s$A$$1", "confirmation_code": "1"},
        {"default_smdp": "s", "place": "b"},
        {"code": "1$s$R", "reusable": True},
    ]
    codes = pool(tmp_path, *orders)
    assert codes.lease(default=True) is None
    theirs = pool(tmp_path, place="b").lease(default=True)
    assert theirs is not None
    assert theirs.default_smdp == "s"
    assert theirs.spend() is None
    for _ in range(2):
        lease = codes.lease()
        assert lease is not None
        assert lease.spend() == "1$s$R"
    assert codes.lease(confirmation=True) is not None


@pytest.mark.parametrize(
    "order", [{}, {"code": "1$s$A", "default_smdp": "s"}, {"default_smdp": "s"}, {"cod": "x"}]
)
def test_a_wrong_pool_is_refused(tmp_path: Path, order: dict[str, Any]) -> None:
    """A pool with an invalid entry raises InvalidSettings."""
    with pytest.raises(InvalidSettings):
        pool(tmp_path, order)
