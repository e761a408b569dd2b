"""docs/simulator.md names exactly the simulators' habits, faults and options."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lpad.cli.simulated.sim_command_group import sim
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.smdp.functions.faults import FaultKind

DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


def named_in(heading: str) -> set[str]:
    """Return the names in code style in the tables under a heading, after the first column."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]*\|(.*)\|$", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_habit_of_the_card_is_named() -> None:
    """The table of cards names exactly the fields of CardBehaviour."""
    assert named_in("Cards that differ") == {each.name for each in fields(CardBehaviour)}


def test_every_fault_of_the_server_is_named() -> None:
    """The table of servers' faults names exactly the kinds of FaultKind."""
    assert named_in("Faulty servers") == {str(kind) for kind in FaultKind}


def test_every_fault_of_a_platform_is_named() -> None:
    """The table of platforms' faults names exactly the kinds of PlatformFault."""
    assert named_in("Faulty platforms") == {str(kind) for kind in PlatformFault}


@pytest.mark.parametrize(("heading", "command"), [("Orders", "order"), ("Servers", "smdp")])
def test_every_option_is_named(heading: str, command: str) -> None:
    """The tables of orders and servers name exactly the options of their commands."""
    assert named_in(heading) == {
        option for each in sim.commands[command].params for option in each.opts if option.startswith("--")
    }
