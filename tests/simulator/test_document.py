"""docs/simulator.md lists exactly the existing options and fields."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lpad.cli.simulated.sim import sim
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.smdp.functions.faults import FaultKind

DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def named_in(heading: str) -> set[str]:
    """Return the names in the second column of the table under a heading."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]*\|(.*)\|$", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_habit_of_the_card_is_named() -> None:
    """The table of habits lists each field of CardBehaviour."""
    assert named_in("Cards that differ") == {each.name for each in fields(CardBehaviour)}


def test_every_fault_of_the_server_is_named() -> None:
    """The table of faults lists each kind."""
    assert named_in("Faulty servers") == {str(kind) for kind in FaultKind}


def test_every_fault_of_a_platform_is_named() -> None:
    """The table of platforms' faults lists each kind."""
    assert named_in("Faulty platforms") == {str(kind) for kind in PlatformFault}


@pytest.mark.parametrize(("heading", "command"), [("Orders", "order"), ("Servers", "smdp")])
def test_every_option_is_named(heading: str, command: str) -> None:
    """The tables of orders and servers list each option of their commands."""
    assert named_in(heading) == {
        option for each in sim.commands[command].params for option in each.opts if option.startswith("--")
    }
