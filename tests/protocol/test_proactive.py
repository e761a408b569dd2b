"""A card's proactive commands: how they are read, classified and answered."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.protocol.proactive import (
    REFRESH_ONLY,
    ProactiveCommand,
    Reaction,
    Result,
    fetch,
    reaction_to,
    terminal_profile,
    terminal_response,
)

REFRESH = bytes.fromhex("D009 810301010482028182")
POLL_INTERVAL = bytes.fromhex("D00D 8103020300 82028182 84020114")


def test_reads_a_refresh() -> None:
    """Number, type and qualifier of a REFRESH are read."""
    assert ProactiveCommand.parse(REFRESH) == ProactiveCommand(1, 1, 4)


def test_reads_tags_without_comprehension_bit() -> None:
    """Inner tags without the highest bit are read like those with it."""
    raw = bytes.fromhex("D00D 0103020300 02028182 04020114")
    assert ProactiveCommand.parse(raw) == ProactiveCommand.parse(POLL_INTERVAL)


@pytest.mark.parametrize(
    "raw",
    ["", "9000", "D100", "D000", "D004 82028182", "D004 81020101", "D009 8103010104820281"],
    ids=["empty", "status", "other-tag", "no-elements", "no-details", "short-details", "cut"],
)
def test_refuses_what_is_not_a_proactive_command(raw: str) -> None:
    """Bytes that are not a proactive command with command details are malformed."""
    with pytest.raises(MalformedError):
        ProactiveCommand.parse(bytes.fromhex(raw))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(raw: bytes) -> None:
    """Any bytes are read as a proactive command, or raise MalformedError."""
    with suppress(MalformedError):
        reaction_to(ProactiveCommand.parse(raw))


@pytest.mark.parametrize(
    ("kind", "qualifier", "reaction"),
    [
        (0x01, 0x00, Reaction(Result.PERFORMED)),
        (0x01, 0x03, Reaction(Result.PERFORMED)),
        (0x01, 0x04, Reaction(None, reset=True)),
        (0x01, 0x09, Reaction(Result.PERFORMED, reset=True)),
        (0x01, 0x0B, Reaction(Result.BEYOND_CAPABILITIES)),
        (0x02, 0x00, Reaction(Result.PERFORMED)),
        (0x03, 0x00, Reaction(Result.PERFORMED)),
        (0x04, 0x00, Reaction(Result.PERFORMED)),
        (0x13, 0x00, Reaction(Result.BEYOND_CAPABILITIES)),
        (0x21, 0x80, Reaction(Result.BEYOND_CAPABILITIES)),
        (0x25, 0x00, Reaction(Result.BEYOND_CAPABILITIES)),
        (0x40, 0x01, Reaction(Result.BEYOND_CAPABILITIES)),
    ],
    ids=[
        "refresh-initialise",
        "refresh-files",
        "refresh-reset",
        "refresh-profile-state",
        "refresh-unknown",
        "more-time",
        "poll-interval",
        "polling-off",
        "send-short-message",
        "display-text",
        "set-up-menu",
        "open-channel",
    ],
)
def test_each_command_has_its_reaction(kind: int, qualifier: int, reaction: Reaction) -> None:
    """Each proactive command has its reaction: performed, beyond lpad's capabilities, or a reset."""
    assert reaction_to(ProactiveCommand(1, kind, qualifier)) == reaction


def test_a_terminal_response_repeats_the_details() -> None:
    """A TERMINAL RESPONSE has the command's details, the swapped devices and the result."""
    command = ProactiveCommand(2, 0x21, 0x80)
    sent = bytes(terminal_response(command, Result.BEYOND_CAPABILITIES))
    assert sent == bytes.fromhex("80140000 0C 8103022180 82028281 830130")


def test_terminal_response_keeps_the_poll_interval() -> None:
    """The TERMINAL RESPONSE to POLL INTERVAL repeats the interval (ETSI TS 102 223, 6.8)."""
    command = ProactiveCommand.parse(POLL_INTERVAL)
    sent = bytes(terminal_response(command, Result.PERFORMED))
    assert sent == bytes.fromhex("80140000 10 8103020300 82028281 830100 84020114")


@pytest.mark.parametrize(("length", "le"), [(1, "01"), (11, "0b"), (255, "ff"), (256, "00")])
def test_fetch_requests_the_announced_length(length: int, le: str) -> None:
    """FETCH has the announced length as its Le, with 00 for 256."""
    assert bytes(fetch(length)).hex() == "80120000" + le


def test_the_terminal_profile_offers_only_refresh() -> None:
    """The terminal profile offers only REFRESH."""
    assert bytes(terminal_profile(REFRESH_ONLY)).hex() == "8010000003010080"
