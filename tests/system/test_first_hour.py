"""docs/first-hour.md shows the output of a new user's commands; script/first-hour writes it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.cli.terminal.exit_codes import INTERRUPTED
from lpad.cli.terminal.step_words import step_words
from lpad.protocol.download_state_table import Step as DownloadStep
from system.gateway import SIM

if TYPE_CHECKING:
    from system.gateway import Gateway

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"
WRITE = "LPAD_FIRST_HOUR"
QUICK = frozenset(
    step_words(name)
    for name in (
        *DownloadStep,
        *("read-profiles", "ask-modem", "enable-profile", "verify", "watch", "set-nickname"),
        "deliver-notifications",
    )
)
"""Lines of progress that a fast machine may not print."""
CODE = "LPA:1$localhost:8443$ABCD-1234"
INTERRUPT = """
shown=$(mktemp)
env --default-signal=INT {command} >"$shown" 2>&1 &
until grep -q '{until}' "$shown"; do sleep 0.1; done
kill -INT $!
wait $! || code=$?
cat "$shown"
exit $code"""
HEAD = """\
# The first hour

This page is the transcript of a new user's hour on a fresh Debian 12 with a simulated modem, card and SM-DP+.
`script/first-hour` writes it; `script/system-test` fails if the output of a step changes in kind. Numbers
differ from run to run.
"""


@dataclass(frozen=True)
class Step:
    """A step of the page: an introduction, the user's command, and how the command ends."""

    why: str
    command: str
    user: str = "ada"
    code: int = 0
    until: str = ""
    """The words after which the user presses Ctrl-C."""


STEPS = (
    Step("After `apt install ./lpad_*.deb`, lpad runs and has no card yet:", "lpactl status", "root"),
    Step("`lpad setup` finds the card. The simulated modem is not in /dev, so its path is given here:",
         f"lpad setup --port {SIM}/modem --yes", "root"),
    Step("The user ada is in the group lpad now. This is her first screen:", "lpactl status"),
    Step("A code that the shell has damaged is recognized:", "lpactl download LPA:1", code=2),
    Step("In single quotes, the code is intact:", f"lpactl download '{CODE}'"),
    Step("The profile is on the card. It gets a name, and is then enabled by this name:", "lpactl profiles"),
    Step("", "lpactl rename 'Demo profile' home"),
    Step("", "lpactl enable home"),
    Step("lpad refuses a name that does not exist:", "lpactl enable hoem", code=3),
    Step("If a server does not exist, lpad states how long it tries. Ctrl-C leaves the change running:",
         "lpactl download 'LPA:1$smdp.example.invalid$X'", code=INTERRUPTED, until="keeps trying"),
    Step("The status shows the waiting change and the command that ends it:", "lpactl status"),
    Step("", "lpactl cancel 4"),
    Step("This is the history so far:", "lpactl changes"),
    Step("Deleting needs an answer, or `--yes`:", "lpactl delete home", code=2),
    Step("lpactl prints a page for a bug report:", "lpactl doctor"),
)  # fmt: skip


def transcript(gateway: Gateway) -> str:
    """Run every step, and return the page."""
    real = gateway.order()
    parts = [HEAD]
    for step in STEPS:
        command = step.command.replace(CODE, real)
        if step.until:
            command = INTERRUPT.format(command=command, until=step.until)
        told = gateway.run("sh", "-c", f"{command} 2>&1", user=step.user, code=step.code)
        prompt = "#" if step.user == "root" else "$"
        shown = [f"    {prompt} {step.command}", *(f"    {line}".rstrip() for line in told.splitlines())]
        parts.append("\n".join([*([step.why, ""] if step.why else []), *shown]) + "\n")
    return "\n".join(parts).replace(real, CODE)


def kind(text: str) -> list[str]:
    """Return the lines of a page without the parts that differ between runs."""
    lines = []
    for line in text.splitlines():
        plain = re.sub(r"kernel \S+", "kernel", line)
        plain = re.sub(r"\b[0-9A-F]*[0-9][0-9A-F]*\b", "0", plain)
        plain = re.sub(r"\b0 (s|min|h)( 0 (s|min|h))*", "0 s", plain)
        lines.append(" ".join(plain.split()))
    return [line for line, _ in groupby(lines) if line not in QUICK and line != "0 of 0 bytes"]


def test_each_step_of_the_first_hour_ends_as_shown(bare: Gateway, package: Path) -> None:
    """The output of each step is that of the page, apart from numbers and fast steps."""
    bare.install(package)
    bare.run("useradd", "--create-home", "--groups", "lpad", "ada")
    bare.set_up_simulators()
    made = transcript(bare)
    if WRITE in os.environ:
        PAGE.write_text(made, encoding="utf-8")
    assert kind(made) == kind(PAGE.read_text(encoding="utf-8"))
