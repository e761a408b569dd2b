"""Which card is at a place, asked without the daemon, which would deliver a wrong card's notifications."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardUnreachable, LpadError

if TYPE_CHECKING:
    from hil.bench_file.bench_file import PlaceSection

_PATIENCE = 150.0
_PAUSE = 1.0


class WrongCard(LpadError):
    """The card is not the one in the bench file; nothing is done to it."""

    kind = "wrong-card"


def check_eid(name: str, wanted: str, found: str | None) -> None:
    """Compare EIDs.

    Raises:
        WrongCard: they differ.
    """
    if found != wanted:
        told = f"one that ends in {found[-4:]}" if found else "none that tells its EID"
        raise WrongCard(
            f"the card at {name} should be the one whose EID ends in {wanted[-4:]}, but there is {told};"
            " nothing was done to it. Put the right card in, or correct the bench file"
        )


def probe(section: PlaceSection, *, within: float = 0.0) -> dict[str, Any]:
    """Return the report of `lpad probe`, which changes nothing on the card.

    Args:
        section: the place.
        within: seconds in which the device may still be starting.

    Raises:
        CardUnreachable: there was no card to be found.
    """
    where = ["--port", section.port] if section.port is not None else ["--reader", str(section.reader)]
    for option in ("baud", "aid"):
        if option in section.euicc:
            where += [f"--{option}", str(section.euicc[option])]
    command = [sys.executable, "-m", "lpad.cli.lpad", "probe", *where, "--json", "--unredacted"]
    end = time.monotonic() + within
    while True:
        done = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
        report: dict[str, Any] = json.loads(done.stdout)["probe"] if done.stdout.startswith("{") else {}
        if report.get("eid") is not None:
            return report
        if time.monotonic() >= end:
            error = report.get("error")
            told = error["sentence"] if error else done.stderr.strip() or "no eUICC answered"
            raise CardUnreachable(f"looking for the card found none: {told}")
        time.sleep(_PAUSE)
