"""The fuzz targets, which are the parsers of foreign bytes, with valid and with damaged input."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS
from fuzz.whole_discovery import hold_discovery
from fuzz.whole_download import hold_conversation

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "fuzz" / "corpus"
DOCUMENT = ROOT / "docs" / "fuzzing.md"
MOST_MEMORY = 32 << 20
"""The maximum number of bytes that a target may allocate while it reads one seed."""

every_target = pytest.mark.parametrize("name", TARGETS)


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes()[: TARGETS[name].limit] for path in sorted((CORPUS / name).iterdir())]


def test_every_target_has_seeds() -> None:
    """Each target has a folder of seeds, and each folder of seeds has a target."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*")) < 500_000


@every_target
def test_seeds_are_borne(name: str) -> None:
    """No seed causes an untyped error in its target."""
    for seed in seeds(name):
        TARGETS[name].run(seed)


def test_the_recorded_conversation_is_a_successful_download() -> None:
    """The recorded conversation, of which fuzzing changes bytes, is a successful download."""
    hold_conversation((CORPUS / "conversation" / "00").read_bytes())


def test_the_recorded_discovery_reaches_an_event() -> None:
    """The recorded discovery finds two events, one of which names a forbidden server."""
    found = hold_discovery((CORPUS / "discovery" / "00").read_bytes())
    assert [(each.entry.event_id, each.forbidden is None) for each in found.events] == [
        ("E-1", True),
        ("R-2", False),
    ]


@every_target
def test_memory_is_bounded(name: str) -> None:
    """No seed, even with huge lengths or deep nesting, makes its target allocate more than MOST_MEMORY."""
    for seed in seeds(name):
        TARGETS[name].run(seed)  # The memory of modules that the first run loads does not count.
        tracemalloc.start()
        try:
            TARGETS[name].run(seed)
            assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
        finally:
            tracemalloc.stop()


@st.composite
def damaged(draw: Any, known: list[bytes]) -> bytes:
    """Draw a seed with bytes changed, removed, doubled or inserted, or with the end of another seed."""
    data = bytearray(draw(st.sampled_from(known)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        end = at + draw(st.integers(0, 40))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = data[at:end]
        elif kind == 3:
            data[at:at] = draw(st.binary(max_size=20))
        elif kind == 4:
            data[at : at + 1] = draw(st.sampled_from([b"\xff" * 4, b"\x80", b"\x84\x7f\xff\xff\xff", b"\0"]))
        else:
            data[at:] = draw(st.sampled_from(known))[at:]
    return bytes(data)


@every_target
def test_damage_is_borne(name: str) -> None:
    """Damaged seeds and random bytes cause no untyped error in a target."""
    target = TARGETS[name]

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=os.environ.get("CI") == "true",
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(damaged(seeds(name)), st.binary(max_size=200)))
    def bear(data: bytes) -> None:
        target.run(data[: target.limit])

    bear()


def test_the_documentation_has_every_target() -> None:
    """docs/fuzzing.md has a row for each target, with the number of its seeds."""
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(count) for name, count in rows} == {name: len(seeds(name)) for name in TARGETS}
