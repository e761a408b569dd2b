"""Printing of a probe's report: as JSON, or as a table for users and bug reports."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any

import lpad
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import joined, safe

if TYPE_CHECKING:
    from lpad.cli.terminal.output import Output

_NAMES = {
    "port": "port",
    "fallback_port": "port used instead",
    "manufacturer": "manufacturer",
    "model": "model",
    "firmware": "firmware",
    "reader": "reader",
    "slots": "SIM slots",
    "imei": "IMEI",
    "quirks": "quirks",
    "link": "link",
    "doubted": "link that failed before",
    "handle": "form of the handle",
    "isdr_aid": "ISD-R",
    "block_size": "block size",
    "answers": "answers",
    "channels_closed": "channels closed",
    "eid": "EID",
    "svn": "SGP.22 version",
    "card_firmware": "card's firmware",
}


def print_report(output: Output, report: dict[str, Any], ports: dict[str, Any]) -> None:
    """Print a report and the existing ports; end the program with the error's exit code if there is an error.

    Args:
        report: as `ProbeReport.shown` returns it.
        ports: `serial`, `readers` and `no_readers`; their identifiers are redacted like those in the report.
    """
    system = {"lpad": lpad.__version__, "python": platform.python_version(), "kernel": platform.release()}
    error = report.get("error")
    if output.as_json:
        output.json({"system": system, "ports": ports, "probe": report})
    else:
        _print(output, report, ports, system)
    if error is not None:
        sys.exit(exit_codes.exit_code(error["kind"]))


def _print(output: Output, report: dict[str, Any], ports: dict[str, Any], system: dict[str, str]) -> None:
    rows: list[tuple[str, object]] = [
        ("versions", joined([f"{name} {version}" for name, version in system.items()])),
        ("ports present", joined(ports["serial"]) or "none"),
        ("readers present", joined(ports["readers"]) or ports.get("no_readers") or "none"),
    ]
    for key, name in _NAMES.items():
        value = report.get(key)
        rows.append((name, joined(value) if isinstance(value, list | tuple) else value))
    euiccs = report.get("euiccs") or []
    if len(euiccs) > 1:
        rows += [(f"eUICC {each['eid']}", f"aid: {each['isdr_aid']}") for each in euiccs]
        rows.append(("", "list each eUICC separately in the settings, with its 'aid'"))
    if report.get("block_size_learned"):
        rows.append(("", "the link refused larger blocks"))
    output.facts(rows)
    timings = report.get("timings") or []
    if timings:
        output.line("")
        output.table(
            ("QUESTION", "MS", "BYTES", "REFUSED"),
            [(each["what"], each["milliseconds"], each["bytes"], each["refused"]) for each in timings],
            empty="",
        )
    if report.get("error") is not None:
        output.line("")
        output.line(safe(f"{report['error']['sentence']} ({report['error']['kind']})"))
