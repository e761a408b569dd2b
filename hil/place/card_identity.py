"""The identity of a place's card, read without a daemon, which could deliver a wrong card's notifications."""

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
    """The card is not the one in the bench file; the bench does nothing to it."""

    kind = "wrong-card"


def check_eid(name: str, wanted: str, found: str | None) -> None:
    """Check that the card at the place `name` has the wanted EID.

    Raises:
        WrongCard: the EIDs differ.
    """
    if found != wanted:
        told = f"has an EID that ends in {found[-4:]}" if found else "reports no EID"
        raise WrongCard(
            f"the EID of the card at {name} should end in {wanted[-4:]}, but the card {told}; the "
            f"bench has done nothing to it. Insert the right card, or correct the bench file"
        )


def probe(section: PlaceSection, *, within: float = 0.0) -> dict[str, Any]:
    """Return the report of `lpad probe`, which changes nothing on the card.

    Args:
        section: the section of the bench file that describes the place.
        within: seconds during which the device may still be starting.

    Raises:
        CardUnreachable: no card was found.
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
            raise CardUnreachable(f"cannot find a card: {told}")
        time.sleep(_PAUSE)
