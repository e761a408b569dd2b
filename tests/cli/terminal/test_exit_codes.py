"""Documents and help have the same table of exit codes, and for each code some command ends with it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import PATIENCE, Finished, Terminal, run
from engine.lab import FIRST
from lpad.api.request.roles import AccessRules, Role
from lpad.base import errors
from lpad.base.errors import CardError, InternalError, InvalidValue, LpadError, ServerError
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.exit_codes import MEANINGS, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.api.request.peer import Peer

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"


def kinds(class_: type[LpadError]) -> Iterator[str]:
    """Yield the kinds of an error and of all errors of lpad that are derived from it."""
    yield class_.kind
    for each in class_.__subclasses__():
        module = each.__module__
        if module.startswith("lpad.") and not module.startswith("lpad.simulator."):
            yield from kinds(each)


class _ReadersOnly(AccessRules):
    """Access rules by which every caller may read; root, who runs these tests, counts as another user."""

    def roles(self, peer: Peer) -> frozenset[Role]:
        return frozenset({Role.READ})


def _written_to_a_full_disk(terminal: Terminal) -> Finished:
    return run(["bash", "-c", '"$@" > /dev/full', "bash", *terminal.command, "status"])


def _into_a_pipe_without_reader(terminal: Terminal) -> Finished:
    return run(["bash", "-c", '"$@" | true; exit ${PIPESTATUS[0]}', "bash", *terminal.command, "events"])


def _refused_by_a_person(terminal: Terminal) -> Finished:
    with asking(terminal) as process:
        terminal.lpactl("answer", "1", "--reject").ok()
        return ended(process)


def _interrupted(terminal: Terminal) -> Finished:
    with asking(terminal) as process:
        process.send_signal(signal.SIGINT)
        return ended(process)


def _without_the_port(terminal: Terminal) -> Finished:
    terminal.lab.modem.vanish()
    return terminal.lpactl("info", "--refresh")


def _from_a_server_that_is_gone(terminal: Terminal) -> Finished:
    code = terminal.lab.code(terminal.lab.order())
    terminal.lab.server.stop()
    return terminal.lpactl("download", code)


def _without_a_daemon(terminal: Terminal) -> Finished:
    return run([*terminal.command[:-1], str(terminal.lab.folder / "nobody.sock"), "status"])


def _as_a_reader(terminal: Terminal) -> Finished:
    terminal.lab.folder.joinpath("lpad.sock").unlink()
    with Gateway(terminal.lab, rules=_ReadersOnly()) as gateway:
        return Terminal(terminal.lab, gateway.path).lpactl("info", "--refresh")


def _under_a_guard_that_is_not_met(terminal: Terminal) -> Finished:
    terminal.lab.install()
    return terminal.lpactl("enable", FIRST, "--guard", "tcp:127.0.0.1:1", "--within", "1")


REACHED: dict[int, Callable[[Terminal], Finished]] = {
    exit_codes.DONE: lambda terminal: terminal.lpactl("status"),
    exit_codes.INTERNAL: _written_to_a_full_disk,
    exit_codes.USAGE: lambda terminal: terminal.lpactl("frobnicate"),
    exit_codes.STATE: lambda terminal: terminal.lpactl("cancel", "99"),
    exit_codes.NEEDS_PEOPLE: _refused_by_a_person,
    exit_codes.CARD: _without_the_port,
    exit_codes.SERVER: _from_a_server_that_is_gone,
    exit_codes.DAEMON: _without_a_daemon,
    exit_codes.NOT_PERMITTED: _as_a_reader,
    exit_codes.TAKEN_BACK: _under_a_guard_that_is_not_met,
    exit_codes.INTERRUPTED: _interrupted,
    exit_codes.READER_GONE: _into_a_pipe_without_reader,
}
"""For each code, a command that ends with it."""


@pytest.mark.parametrize("code", MEANINGS)
def test_each_code_is_reached(terminal: Terminal, code: int) -> None:
    """For each exit code there is a command that ends with it."""
    assert code in REACHED, f"name a command that ends with {code} in REACHED"
    done = REACHED[code](terminal)
    assert done.code == code, done.err


def test_the_codes_have_meanings() -> None:
    """Each exit code is in the table exactly once."""
    constants = [
        value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)
    ]
    assert sorted(constants) == sorted(MEANINGS)


def test_the_table_is_documented() -> None:
    """The table in docs/api.md has the same exit codes with the same meanings."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Exit codes")[2]
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == MEANINGS


@pytest.mark.parametrize("program", ["lpactl", "lpad"])
def test_the_help_has_the_table(program: str) -> None:
    """The help of both commands shows every exit code with its meaning."""
    told = " ".join(run([sys.executable, "-m", f"lpad.cli.{program}", "--help"]).out.split())
    for code, meaning in MEANINGS.items():
        assert f"{code} {meaning}" in told


@pytest.mark.parametrize("kind", sorted(set(kinds(LpadError)) - {LpadError.kind}))
def test_each_kind_of_error_has_its_code(kind: str) -> None:
    """Each kind of error but internal and malformed has an exit code other than an internal error's."""
    expected = {
        exit_codes.CARD: kinds(CardError),
        exit_codes.SERVER: kinds(ServerError),
        exit_codes.USAGE: kinds(InvalidValue),
    }
    code = next((code for code, those in expected.items() if kind in set(those)), None)
    if code is not None:
        assert exit_code(kind) == code
    elif kind not in {*kinds(InternalError), errors.MalformedError.kind}:
        assert exit_code(kind) != exit_codes.INTERNAL
    assert exit_code("not-known-to-this-lpactl") == exit_codes.INTERNAL


@contextmanager
def asking(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    """Run lpactl with a download that waits for consent; yield the process."""
    code = terminal.lab.code(terminal.lab.order())
    with subprocess.Popen(
        [*terminal.command, "download", code, "--confirm"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        next(line for line in process.stderr if "waits for consent" in line)
        yield process


def ended(process: subprocess.Popen[str]) -> Finished:
    out, err = process.communicate(timeout=PATIENCE)
    return Finished(process.returncode, out, err)
