"""lpactl's commands that change something are safe by default, and print one line for the result."""

from __future__ import annotations

import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cli.conftest import at_a_terminal
from engine.guarding import enabled, port
from engine.lab import FIRST, SECOND
from lpad.cli.terminal import exit_codes
from lpad.engine.change.change import Kind
from lpad.engine.change.params import GuardParams
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.switch import condition_watch
from lpad.network.at_applier import AtApplier

if TYPE_CHECKING:
    from cli.conftest import Terminal

COMMANDS = [("disable", FIRST), ("reset", "--operational", "--yes")]


@pytest.fixture
def online(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal at a gateway whose card is in a modem, with one of two profiles enabled."""
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    lab = terminal.lab
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    terminal.lpactl("enable", FIRST).ok()
    policy = SwitchPolicy(default_guard=GuardParams(until=("registered",), within=20))
    modem = replace(
        port(lab), device="/dev/ttyUSB2", policy=policy, network=NetworkPolicy(applier=AtApplier())
    )
    lab.engine.become([modem])
    return terminal


def test_an_enable_ends_with_one_line(online: Terminal) -> None:
    """`lpactl enable` ends with one line: profile, operator, registration and address, if observed."""
    last = online.lpactl("enable", SECOND).ok().out.splitlines()[-1]
    assert last.startswith(
        "profile Second; operator lpad simulator; registration CEREG 1 (registered at home)"
    )
    assert last.endswith("; address 10.64.0.2, 2001:db8::2")


def test_an_enable_without_guard_says_so(online: Terminal) -> None:
    """`--no-guard` turns even the default guard off; the printed line has the result of the final check."""
    last = online.lpactl("enable", SECOND, "--no-guard").ok().out.splitlines()[-1]
    assert "; registration CEREG 1 (registered at home)" in last
    assert "; address 10.64.0.2" in last
    assert online.lpactl("enable", FIRST, "--no-guard", "--guard", "registered").code == exit_codes.USAGE


def test_the_status_has_the_registration_as_last_seen(online: Terminal) -> None:
    """The status shows each layer as the last switch saw it, with its age, until the profile is disabled."""
    online.lpactl("enable", SECOND).ok()
    shown = online.lpactl("status").ok().err
    assert "s ago: CEREG 1 (registered at home)" in shown
    assert "bearer as last seen" in shown
    assert "modem: registration as last seen " in shown
    online.lpactl("disable", SECOND, "--accept-offline").ok()
    assert "as last seen" not in online.lpactl("status").ok().err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_is_asked_before_going_offline(
    online: Terminal, command: tuple[str, ...], answer: str
) -> None:
    """At a terminal, the command asks with the profile's name and the consequence; the answer decides."""
    online.lab.carry_out(Kind.RENAME, iccid=FIRST, nickname="Winter")
    code, told = at_a_terminal([*online.command, *command], answer)
    assert "'Winter'" in told
    assert "goes offline" in told
    yes = answer == "y"
    assert code == (0 if yes else exit_codes.NEEDS_PEOPLE), told
    assert enabled(online.lab) == (None if yes else FIRST)


@pytest.mark.parametrize("command", COMMANDS)
def test_going_offline_has_to_be_accepted(online: Terminal, command: tuple[str, ...]) -> None:
    """Without a terminal for a question, --accept-offline is required; the refusal names the option."""
    refused = online.lpactl(*command)
    assert refused.code == exit_codes.STATE
    assert "--accept-offline" in refused.err
    online.lpactl(*command, "--accept-offline").ok()


def test_a_deletion_names_the_profile(terminal: Terminal) -> None:
    """The question before a deletion has name and ICCID, and states that this cannot be undone."""
    terminal.lab.install()
    code, told = at_a_terminal([*terminal.command, "delete", FIRST], "n")
    assert code == exit_codes.NEEDS_PEOPLE
    assert f"Delete profile 'First' ({FIRST})?" in " ".join(told.split())
    assert "cannot be undone, and its activation code is used up" in " ".join(told.split())


def test_an_answer_with_a_wrong_code(terminal: Terminal) -> None:
    """`lpactl answer` fails if the server refuses the code, and succeeds with the right one."""
    lab = terminal.lab
    code = lab.code(lab.order(confirmation_code="code-1234"))
    change = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code})
    lab.asked(change.id)
    wrong = terminal.lpactl("answer", str(change.id), "--confirmation-code-file", "-", stdin="code-9999\n")
    assert wrong.code == exit_codes.NEEDS_PEOPLE
    assert "the server refused the confirmation code" in wrong.err
    terminal.lpactl("answer", str(change.id), "--confirmation-code-file", "-", stdin="code-1234\n").ok()
    assert lab.ended(change.id).error is None


@pytest.mark.parametrize("server", ["unresolved", "refusing"])
def test_a_server_that_cannot_be_reached(terminal: Terminal, server: str) -> None:
    """After the first failure, the output states how long lpad retries, and how to stop or watch it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]  # After this block, connections to this port are refused.
    host = {"unresolved": "smdp.does-not-exist.invalid", "refusing": f"localhost:{closed}"}[server]
    with subprocess.Popen(
        [*terminal.command, "download", f"LPA:1${host}$X", "--retry-for", "7200"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        before: list[str] = []
        line = ""
        for line in process.stderr:
            if "keeps trying" in line:
                break
            before.append(line)
        assert "waits for a connection to the server; next attempt at" in "".join(before)
        assert host in "".join(before)
        assert "(server-unreachable)" in "".join(before)
        assert "lpad keeps trying change 1 for up to 2 h, even after Ctrl-C" in line
        assert "'lpactl cancel 1' stops it, and 'lpactl changes 1' shows it" in line
        process.send_signal(signal.SIGINT)
        assert "change 1 continues: 'lpactl changes 1' shows it" in process.stderr.read()
    assert process.returncode == exit_codes.INTERRUPTED
    terminal.lpactl("cancel", "1").ok()


def test_steps_in_the_users_words(terminal: Terminal) -> None:
    """A change's steps are shown in plain words, and with -v also by the names that the API uses."""
    done = terminal.lpactl("download", terminal.lab.code(terminal.lab.order())).ok()
    assert "installing the profile" in done.err
    assert "load-bound-profile-package" not in done.err
    assert "load-bound-profile-package" in terminal.lpactl("changes", "1", "-v").ok().out
    assert "installing the profile" in terminal.lpactl("changes", "1").ok().out
