"""Orders and simulated servers that the command line creates."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cli.conftest import run
from cli.test_lpad import LPAD, playing, start
from lpad.base.activation_code import ActivationCode
from lpad.cli.simulated.sim_command_group import sim
from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.orders import Orders, iccid_of
from lpad.simulator.smdp.store.profile_metadata import IconType, ProfileClass, ProfilePolicyRule
from lpad.simulator.smds.server import events_of

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.smdp.store.order import Order

__all__ = ["playing"]

OID = "2.999.10"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder as a simulated server leaves it."""
    folder = tmp_path / "smdp"
    folder.mkdir()
    AddressFile(address="localhost:8443", oid=OID).write(folder)
    return folder


def order(folder: Path, *options: str) -> tuple[Order, str]:
    """Add an order, and return it and its activation code."""
    done = CliRunner().invoke(sim, ["order", str(folder), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return Orders(folder / "orders").all()[-1], done.output.strip()


def test_each_option_reaches_the_order(folder: Path) -> None:
    """Each option of the command reaches the order."""
    made, code = order(
        folder,
        *("--confirmation-code", "1234", "--confirmation-limit", "2", "--attempts", "4", "--oid"),
        *("--class", "test", "--owner", "26201", "--ppr", "ppr1", "--ppr", "ppr2"),
        *("--tac", "49015420", "--not-released"),
    )
    assert (made.confirmation_limit, made.attempt_limit) == (2, 4)
    assert made.metadata.profile_class is ProfileClass.TEST
    assert made.metadata.rules == (ProfilePolicyRule.PPR1, ProfilePolicyRule.PPR2)
    assert made.metadata.owner is not None
    assert made.metadata.owner.mcc_mnc == "26201"
    assert made.tacs == ("49015420",)
    assert made.state is OrderState.CONFIRMED
    parsed = ActivationCode.parse(code)
    assert parsed.smdp_oid == OID
    assert parsed.confirmation_code_required


def test_without_options_nothing_is_limited_otherwise(folder: Path) -> None:
    """Without options, the order has the defaults of the simulated server's own orders."""
    made, code = order(folder)
    assert (made.confirmation_limit, made.attempt_limit, made.expires) == (3, 10, None)
    assert made.state is OrderState.RELEASED
    assert code.count("$") == 2


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604800)])
def test_a_time_from_now_on(folder: Path, given: str, seconds: int) -> None:
    """An order expires after the given number of seconds, minutes, hours or days."""
    before = datetime.now(UTC)
    made, _ = order(folder, "--expires", given)
    assert made.expires is not None
    assert before <= made.expires - timedelta(seconds=seconds) <= datetime.now(UTC)


def test_an_order_ends_at_a_date(folder: Path) -> None:
    """An order expires at the given date, which is in this machine's time zone if it names none."""
    assert order(folder, "--expires", "2030-01-31T12:00+00:00")[0].expires == datetime(
        2030, 1, 31, 12, tzinfo=UTC
    )
    assert order(folder, "--expires", "2020-01-31")[0].expired


@pytest.mark.parametrize(
    ("start", "kind"), [(b"\x89PNG\r\n\x1a\n", IconType.PNG), (b"\xff\xd8\xff\xe0", IconType.JPG)]
)
def test_the_kind_of_an_icon_is_recognised(
    folder: Path, tmp_path: Path, start: bytes, kind: IconType
) -> None:
    """The first bytes of an icon determine its type; an icon of more than 1,024 bytes is refused."""
    (tmp_path / "icon").write_bytes(start.ljust(1024, b"x"))
    made, _ = order(folder, "--icon", str(tmp_path / "icon"))
    assert made.metadata.icon is not None
    assert made.metadata.icon_type is kind
    (tmp_path / "icon").write_bytes(start.ljust(1025, b"x"))
    assert "at most 1024 bytes" in refused(folder, "--icon", str(tmp_path / "icon"))


def refused(folder: Path, *options: str) -> str:
    done = CliRunner().invoke(sim, ["order", str(folder), *options])
    assert done.exit_code == 2
    assert not Orders(folder / "orders").all()[1:]
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--ppr", "ppr1"], "needs --owner"),
        (["--confirmation-limit", "1"], "needs --confirmation-code"),
        (["--confirmation-code", "1", "--confirmation-limit", "0"], "x>=1"),
        (["--attempts", "0"], "x>=1"),
        (["--expires", "tomorrow"], "such as 90s, 10m, 2h or 7d"),
        (["--expires", "0001-01-01"], "such as 90s, 10m, 2h or 7d"),
        (["--owner", "262"], "three digits of MCC"),
        (["--tac", "1234"], "first 8 digits"),
        (["--class", "private"], "is not one of"),
        (["--icon", "/dev/null"], "PNG or JPEG"),
    ],
)
def test_impossible_options_order_nothing(folder: Path, options: list[str], told: str) -> None:
    """With impossible options, no order is added, and the error names the mistake."""
    assert told in refused(folder, *options)


def test_an_order_held_back_is_released(folder: Path) -> None:
    """An order that was held back is released once, by its matching ID."""
    order(folder, "--matching-id", "HELD", "--not-released")
    command = [*LPAD, "sim", "release", str(folder), "HELD"]
    assert run(command).ok().out == "released\n"
    assert Orders(folder / "orders").all()[0].state is OrderState.RELEASED
    assert run(command).code == 3


def test_a_made_up_profile_belongs_to_its_owner(folder: Path) -> None:
    """A made-up profile's IMSI begins with the codes of its owner, because a card compares the two."""
    made, _ = order(folder, "--owner", "310410", "--ppr", "ppr2")
    package = Orders(folder / "orders").profile(made)
    assert bytes.fromhex("083901140021436587") in package
    assert str(iccid_of(package)) == made.metadata.iccid


def test_a_server_with_other_names(tmp_path: Path, playing: list[subprocess.Popen[str]]) -> None:
    """Aliases, curve and address reach the server; a taken port leads to an error, not to a traceback."""
    told = start(
        playing, "smdp", str(tmp_path / "smdp"), "--alias", "other.example.com",
        "--curve", "brainpool", "--bind", "127.0.0.2",
    )  # fmt: skip
    port = int(told.split(",")[0].rpartition(":")[2])
    socket.create_connection(("127.0.0.2", port), 10).close()
    again = run([*LPAD, "sim", "smdp", str(tmp_path / "b"), "--bind", "127.0.0.2", "--port", str(port)])
    assert again.code == 3
    assert "cannot listen on 127.0.0.2" in again.err
    assert run([*LPAD, "sim", "smdp", str(tmp_path / "b"), "--bind", "nowhere.invalid"]).code == 3
    assert run([*LPAD, "sim", "smdp", str(tmp_path / "b"), "--alias", "other.example.com:80"]).code == 2


def test_a_confirmation_limit_of_a_card_that_tries(folder: Path) -> None:
    """The limit of wrong confirmation codes is in the order's JSON file, which the server reads."""
    order(folder, "--confirmation-code", "1", "--confirmation-limit", "1", "--expires", "1d")
    written: dict[str, Any] = json.loads(next((folder / "orders").glob("*.json")).read_text())
    assert written["confirmation_limit"] == 1


EID = "89049032123451234512345678901235"


def test_an_order_that_an_sm_ds_lists(folder: Path, tmp_path: Path) -> None:
    """The event of an order has its matching ID; the root's event leads to the alternative SM-DS."""
    near, root = tmp_path / "near", tmp_path / "root"
    for smds, address in ((near, "near.example.com"), (root, "root.example.com")):
        smds.mkdir()
        AddressFile(address=address, oid="2.999.15").write(smds)
    made, _ = order(folder, "--eid", EID, "--discovery", str(near), "--discovery", str(root))
    (first,) = events_of(root).of(EID, "")
    (second,) = events_of(near).of(EID, first.event_id)
    assert first.address == "near.example.com"
    assert (second.event_id, second.address) == (made.matching_id, "localhost:8443")
    assert events_of(near).of(EID, made.matching_id) == (second,)
    orders = Orders(folder / "orders")
    orders.change(made.id, state=OrderState.DOWNLOADED)
    assert len(events_of(root).of(EID, "")) == 1
    orders.change(made.id, state=OrderState.INSTALLED)
    assert events_of(root).of(EID, "") == events_of(near).of(EID, "") == ()
    assert events_of(near).of(EID, "", deleted=True) == (second,)


def test_an_event_ends_with_its_order(folder: Path, tmp_path: Path) -> None:
    """An event of an order that has expired is no longer listed."""
    made, _ = order(folder, "--eid", EID, "--discovery", str(tmp_path / "root"), "--expires", "0s")
    assert made.expired
    assert events_of(tmp_path / "root").of(EID, "", deleted=True) == ()


def test_an_event_is_for_a_card(folder: Path, tmp_path: Path) -> None:
    """An SM-DS lists events by EID, so an order for any card cannot be registered."""
    done = CliRunner().invoke(sim, ["order", str(folder), "--discovery", str(tmp_path)])
    assert done.exit_code == 2
    assert "--discovery needs --eid" in done.output


def test_the_sm_ds_of_the_command_line(tmp_path: Path) -> None:
    """`lpad sim smds` prints its address and OID, as the SM-DP+ does."""
    command = [sys.executable, "-m", "lpad.cli.lpad", "sim", "smds", str(tmp_path / "smds"), "--alternative"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
        finally:
            process.terminate()
            process.wait(60)
    assert line[0] == "SM-DS"
    assert line[1].startswith("localhost:")
    assert line[2:] == ["OID", "2.999.15.2"]
