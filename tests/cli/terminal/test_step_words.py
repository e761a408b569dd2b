"""The steps of a change have words for the user."""

from __future__ import annotations

import ast
from pathlib import Path

import lpad
from lpad.base.identifiers import Aid, Iccid
from lpad.cli.terminal.step_words import step_words
from lpad.engine.switch.card_request_retry import Way
from lpad.network.owner_hooks import HookEvent
from lpad.protocol.download_state_table import Step

ENGINE = Path(lpad.__file__).parent / "engine"
BEGINS = frozenset({"step", "follow", "irreversible"})
"""The methods with which a change begins a step."""
COMPOSED = (
    *(each.value for each in Step),
    *(each.value for each in HookEvent),
    "go-back",
    "fall-back",
    *(f"{verb}-profile" for verb in ("enable", "disable")),
    *(
        Way(target, refresh=refresh).step(verb)
        for target in (Iccid("8900101979113769570"), Aid(bytes.fromhex("A0000005591010FFFFFFFF8900001000")))
        for refresh in (True, False)
        for verb in ("enable", "disable")
    ),
)
"""The names that no call contains as a constant."""


def named_in_calls() -> set[str]:
    """Return the names of steps in the engine's calls: constants, and the module's names for constants."""
    found = set()
    for path in ENGINE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: each.value.value
            for each in tree.body
            if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant)
            for target in each.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            names = [each.value for each in node.keywords if each.arg == "step"]
            if called in BEGINS or called == "OtherSettings":
                names += node.args[:1]
            for each in names:
                value = getattr(each, "value", constants.get(getattr(each, "id", "")))
                if isinstance(value, str):
                    found.add(value)
    return found


def test_every_step_has_words() -> None:
    """Each step is shown in words instead of its own name."""
    names = named_in_calls()
    assert {
        "ask-modem",
        "connect-network",
        "try-default-apn",
        "enable-profile-again",
        "deliver-notifications",
    } <= names
    assert sorted(each for each in {*names, *COMPOSED} if step_words(each) == each.replace("-", " ")) == []


def test_verbose_shows_the_name() -> None:
    """With -v a step has its API name; without, an unknown step has its name with blanks for dashes."""
    assert step_words("enable-profile", verbose=True) == "enable-profile"
    assert (
        step_words("enable-profile-by-aid-without-refresh")
        == "enabling the profile by its AID, without REFRESH"
    )
    assert step_words("polish-card") == "polish card"
