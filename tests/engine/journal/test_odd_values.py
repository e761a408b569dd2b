"""Stored values that are invalid despite a right checksum, from another release or a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from api.gateway import Gateway
from engine.lab import CARD, FIRST, Lab
from lpad.engine.change.change import Kind, State
from lpad.engine.snapshot.snapshot import CardState

PATHS = (
    "system", "euiccs", f"euiccs/{CARD}", f"euiccs/{CARD}/profiles", f"euiccs/{CARD}/profiles/{FIRST}",
    f"euiccs/{CARD}/profiles/{FIRST}/network", f"euiccs/{CARD}/profiles/{FIRST}/line", f"euiccs/{CARD}/wish",
    f"euiccs/{CARD}/events", f"euiccs/{CARD}/notifications", "listeners", "webhooks", "changes", "metrics",
)  # fmt: skip
LARGE = 1 << 80
FAR = 1.7e308
ODD_NUMBERS = (-1, -LARGE, LARGE, -FAR, FAR)


def _rows(eid: str, number: float) -> dict[str, Any]:
    whole = int(number) if abs(number) < FAR else 7
    moment = float(number)
    return {
        f"wish:{eid}": {
            "platform": "gone",
            "looks": whole,
            "since": moment,
            "next_look_at": moment,
            "allowed": whole,
            "ordered_at": [moment],
            "spread": moment,
            "change": whole,
        },
        f"network:{FIRST}": {"owner": {"apn": 7}, "order": {"apn": "x" * 5000, "mtu": whole}, "card": eid},
        f"network-switch:{CARD}": {"change": whole, "eid": eid, "iccid": FIRST, "memory": {"a": "b"}},
        "listeners": {"a": {"user": whole, "position": whole, "seen": moment}},
        f"rescue {eid}": {
            "change": whole,
            "wanted": [FIRST, None],
            "unwanted": FIRST,
            "since": moment,
            "attempts": whole,
            "next_at": moment,
        },
        f"provision {eid}": {"attempts": whole, "next_at": moment},
        f"discovery {eid}": {"next_at": moment, "change": whole, "failures": whole},
        f"events {eid}": [
            {
                "server": "a b",
                "event_id": "E",
                "listed_by": "x",
                "state": "failed",
                "attempts": whole,
                "next_at": moment,
                "seen": moment,
                "change": whole,
            }
        ],
        f"smds {eid}": {"x": {"failures": whole, "not_before": moment}},
        f"line:{FIRST}": {
            "platform": "gone",
            "line": "wet",
            "seen_at": moment,
            "due_at": moment,
            "failures": whole,
        },
        f"modem restarts {CARD}": {"times": whole, "steps": whole, "last_at": moment, "next_at": moment},
        "clock": {"wall": moment, "boot": moment, "boot_id": "x", "steady": moment, "ran": moment},
        "owed cancellations": [
            {"server": "a b", "eid": eid, "transaction_id": "AB", "response": "AA==", "tries": whole}
        ],
        "events:dropped": {"x": whole},
    }


@pytest.mark.parametrize("number", ODD_NUMBERS)
def test_extreme_stored_numbers_end_no_thread(lab: Lab, number: float) -> None:
    """With extreme stored numbers, the card is read, listed and switched, and no thread ends."""
    lab.install()
    eid = lab.engine.snapshot(CARD).eid
    assert eid is not None
    lab.stop()
    journal = lab.journal()
    for name, value in _rows(eid, number).items():
        journal.memos.put(name, value)
    journal.close()
    with Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        for path in PATHS:
            answer = gateway.http.get(f"/v1/{path}")
            assert answer.status_code < 500, (path, answer.text)
        assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
        assert lab.carry_out(Kind.REFRESH).state is State.DONE
        assert lab.engine.alive
