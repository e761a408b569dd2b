"""Captures in the GSMTAP format, read by Wireshark's tshark."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hil.evidence.gsmtap import write_pcap
from lpad.simulator.replayed_card import Exchange

if TYPE_CHECKING:
    from pathlib import Path

AT = 1795244400.25
EXCHANGES = [
    Exchange(bytes.fromhex("0070000001"), bytes.fromhex("019000"), AT),
    Exchange(bytes.fromhex("01A4040010A0000005591010FFFFFFFF8900000100"), bytes.fromhex("6121"), AT + 1),
    Exchange(bytes.fromhex("81E2910006BF3E035C015A"), bytes.fromhex("6115"), AT + 2),
]


def tshark(path: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-n", "-r", path, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip().splitlines()


@pytest.mark.programs("tshark")
def test_wireshark_dissects_it(tmp_path: Path) -> None:
    """Wireshark dissects a capture as GSMTAP of type SIM: commands, the ISD-R's AID and status words."""
    write_pcap(tmp_path / "x.pcap", {"a": EXCHANGES})
    protocols = set(tshark(tmp_path / "x.pcap", "-T", "fields", "-e", "frame.protocols"))
    assert protocols == {"raw:ip:udp:gsmtap:gsm_sim"}
    first, second, third = tshark(tmp_path / "x.pcap")
    assert "ISO/IEC 7816-4 MANAGE CHANNEL Operation=Open Channel" in first
    assert "ISO/IEC 7816-4 SELECT Application a0000005591010ffffffff8900000100" in second
    assert "Response ready, Response length is 21" in third
    assert not tshark(tmp_path / "x.pcap", "-Y", "_ws.malformed || _ws.expert.severity >= 6291456")


@pytest.mark.programs("tshark")
def test_cards_are_distinguished(tmp_path: Path) -> None:
    """A capture of two cards is in chronological order, and each card has its own IP address."""
    other = [Exchange(EXCHANGES[0].command, None, AT + 0.5)]
    write_pcap(tmp_path / "x.pcap", {"a": EXCHANGES, "b": other})
    sources = tshark(tmp_path / "x.pcap", "-T", "fields", "-e", "ip.src")
    assert sources == ["127.0.1.1", "127.0.1.2", "127.0.1.1", "127.0.1.1"]
    times = tshark(tmp_path / "x.pcap", "-T", "fields", "-e", "frame.time_epoch")
    assert float(times[0]) == pytest.approx(AT)
    assert not tshark(tmp_path / "x.pcap", "-o", "ip.check_checksum:TRUE", "-Y", "ip.checksum.status == 0")
