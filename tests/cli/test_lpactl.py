"""lpactl as users and scripts run it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from cli.conftest import PATIENCE, Terminal, run
from engine.lab import CARD, FIRST, SECOND
from lpad.base.backoff import Backoff
from lpad.cli.terminal import exit_codes
from lpad.engine.change.params import EnableParams, GuardParams
from lpad.engine.worker.queue import retry_rules
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from pathlib import Path


HEX = "898600B5000000E00015"


def test_the_life_of_a_profile_with_a_hexadecimal_iccid(terminal: Terminal) -> None:
    """A profile whose ICCID has digits from A to E can be named by the whole ICCID, or by its last digits."""
    done = terminal.lpactl("download", terminal.lab.code(terminal.lab.order(iccid=HEX))).ok()
    assert done.out.split()[0] == HEX
    assert terminal.lpactl("rename", HEX.lower(), "home").ok().out == f"{HEX} is renamed\n"
    assert terminal.lpactl("enable", "e00015").ok().out.splitlines()[0] == f"{HEX} is enabled"
    assert terminal.lpactl("profiles").ok().out.splitlines()[1].split()[:2] == [HEX, "enabled"]
    terminal.lpactl("network", "set", "e00015", "--apn", "iot.example").ok()
    assert "iot.example" in terminal.lpactl("network", "show", HEX).ok().out
    assert terminal.lpactl("disable", HEX).ok().out == f"{HEX} is disabled\n"
    assert terminal.lpactl("delete", f"{HEX}F", "--yes").ok().out == f"{HEX} is deleted\n"
    assert terminal.lpactl("profiles").ok().err == "no profile is installed\n"


def test_the_life_of_a_profile(terminal: Terminal) -> None:
    """Commands for a profile accept an ICCID, its last digits or a nickname, and state their result."""
    code = terminal.lab.code(terminal.lab.order())
    done = terminal.lpactl("download", code).ok()
    assert done.out.split() == [FIRST, "First", "lpad", "simulator", "installed"]
    assert "installing the profile" in done.err
    assert terminal.lpactl("rename", FIRST, "home").ok().out == f"{FIRST} is renamed\n"
    refused = terminal.lpactl("rename", FIRST, "ü" * 33)
    assert refused.code == exit_codes.USAGE
    assert "a nickname must have at most 64 bytes in UTF-8, but this one has 66" in refused.err
    assert terminal.lpactl("enable", "home").ok().out.splitlines()[0] == f"{FIRST} is enabled"
    assert "as before" in terminal.lpactl("enable", FIRST[-6:]).ok().out
    listed = terminal.lpactl("profiles").ok().out.splitlines()
    assert listed[0].split() == ["ICCID", "STATE", "NAME", "PROVIDER", "NICKNAME", "CLASS"]
    assert listed[1].split()[:2] == [FIRST, "enabled"]
    status = terminal.lpactl("status").ok().out
    assert str(terminal.lab.card.eid) in status
    assert "home" in status
    assert terminal.lpactl("delete", "home", "--yes").code == exit_codes.STATE
    terminal.lpactl("disable", "home").ok()
    terminal.lpactl("delete", "home", "--yes").ok()
    assert terminal.lpactl("profiles").ok().err == "no profile is installed\n"
    terminal.lpactl("delete", FIRST, "--yes", "--missing-ok").ok()


def test_every_command_prints_json_on_request(terminal: Terminal) -> None:
    """With --json, before or after the command, standard output is one JSON value."""
    code = terminal.lab.code(terminal.lab.order())
    change = terminal.lpactl("--json", "download", code, "--enable").ok().json
    assert (change["state"], change["result"]["enabled"]) == ("done", True)
    (shown,) = terminal.lpactl("status", "--json").ok().json["euiccs"]
    assert shown["name"] == CARD
    assert shown == terminal.lpactl("info", "--json").ok().json, "not nulls for what the daemon knows"
    assert terminal.lpactl("info", "--json").ok().json["eid"] == str(terminal.lab.card.eid)
    assert terminal.lpactl("profiles", "--json").ok().json["profiles"][0]["iccid"] == FIRST
    assert terminal.lpactl("changes", "--json").ok().json["changes"][0]["kind"] == "download"
    assert terminal.lpactl("changes", "1", "--json").ok().json["id"] == 1
    terminal.lab.until_true(terminal.lab.settled)
    assert terminal.lpactl("notifications", "--json").ok().json["notifications"] == []
    assert terminal.lpactl("notifications", "deliver", "--json").ok().json["result"] == {"delivered": 0}
    failed = terminal.lpactl("enable", SECOND, "--json")
    assert (failed.code, failed.json["error"]["kind"]) == (exit_codes.STATE, "not-found")
    missing = terminal.lpactl("changes", "99", "--json")
    assert (missing.code, missing.json["kind"]) == (exit_codes.STATE, "not-found")


@pytest.mark.parametrize("way", ["-", "--file", "--file -"])
def test_codes_need_not_be_in_the_list_of_processes(terminal: Terminal, tmp_path: Path, way: str) -> None:
    """Activation codes and confirmation codes can be read from standard input or a file."""
    order = terminal.lab.order(confirmation_code="code-1234")
    code = terminal.lab.code(order)
    (tmp_path / "code").write_text(f"{code}\n", encoding="utf-8")
    (tmp_path / "confirmation").write_text("code-1234\n", encoding="utf-8")
    arguments = {"-": ["-"], "--file": ["--file", str(tmp_path / "code")], "--file -": ["--file", "-"]}[way]
    done = terminal.lpactl(
        "download", *arguments, "--confirmation-code-file", str(tmp_path / "confirmation"), stdin=f"{code}\n"
    ).ok()
    assert FIRST in done.out
    assert order.matching_id not in done.out + done.err


def test_the_default_server_is_written_shown_and_used(terminal: Terminal) -> None:
    """The card's default SM-DP+ address is written, shown and used."""
    terminal.lab.order(eid=terminal.lab.card.eid)
    assert terminal.lpactl("download", "--default").code == exit_codes.STATE
    terminal.lpactl("default-smdp", terminal.lab.server.address).ok()
    assert terminal.lab.server.address in terminal.lpactl("info", "--refresh").ok().out
    terminal.lpactl("download", "--default").ok()


def test_questions_are_told_where_nobody_can_be_asked(terminal: Terminal) -> None:
    """Without a terminal, the question and the command to answer it are printed; another process answers."""
    code = terminal.lab.code(terminal.lab.order())
    with subprocess.Popen(
        [*terminal.command, "download", code, "--confirm"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stdout is not None
        line = next(line for line in process.stderr if "waits for consent" in line)
        assert "lpactl answer 1 --accept" in line
        assert terminal.lpactl("answer", "1").code == exit_codes.USAGE
        terminal.lpactl("answer", "1", "--accept").ok()
        assert FIRST in process.stdout.read()
        assert process.wait(PATIENCE) == 0
    assert terminal.lpactl("answer", "1", "--accept").code == exit_codes.STATE


def test_a_queued_change_names_the_change_before_it(terminal: Terminal) -> None:
    """A change queued behind a switch that awaits its confirmation reports this, and begins afterwards."""
    iccid = terminal.lab.install()
    params = EnableParams(iccid=iccid, guard=GuardParams(until=("confirm",), within=60))
    asking = terminal.lab.engine.submit(CARD, params).change.id
    terminal.lab.until(lambda: terminal.lab.engine.change(asking), lambda seen: seen.question is not None)
    with subprocess.Popen(
        [*terminal.command, "info", "--refresh"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        assert f"is queued behind change {asking} (enable), which waits for confirmation" in line
        terminal.lpactl("confirm", str(asking))
        assert process.wait(PATIENCE) == 0
        process.communicate()


def test_a_change_that_waits_for_an_answer_holds_nobody_up(terminal: Terminal) -> None:
    """While a change waits for an answer, another is carried out; the status shows how to answer."""
    code = terminal.lab.code(terminal.lab.order())
    with subprocess.Popen(
        [*terminal.command, "download", code, "--confirm"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        next(line for line in process.stderr if "waits for consent" in line)
        assert "is queued behind" not in terminal.lpactl("info", "--refresh").ok().err
        status = terminal.lpactl("status").ok().err
        assert re.search(
            r"modem: change 1 \(download\) waits for consent until \S+ UTC: lpactl answer 1", status
        )
        terminal.lpactl("answer", "1", "--accept").ok()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_a_change_is_taken_back(terminal: Terminal) -> None:
    """With --no-wait, a command returns immediately, and `lpactl cancel` ends its change."""
    code = terminal.lab.code(terminal.lab.order())
    assert terminal.lpactl("download", code, "--confirm", "--no-wait").ok().out.startswith("change 1: ")
    assert "cancelled" in terminal.lpactl("cancel", "1").ok().out
    shown = terminal.lpactl("changes", "1").ok().out
    assert re.search(r"state +cancelled", shown)
    assert "get-euicc-challenge" in shown or "queued" not in shown


def test_ctrl_c_leaves_the_change_alone(terminal: Terminal) -> None:
    """After Ctrl-C, the command prints how to cancel the change; the change continues."""
    code = terminal.lab.code(terminal.lab.order())
    with subprocess.Popen(
        [*terminal.command, "download", code, "--confirm"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        next(line for line in process.stderr if "waits for consent" in line)
        process.send_signal(signal.SIGINT)
        assert "lpactl cancel 1" in process.stderr.read()
        assert process.wait(PATIENCE) == exit_codes.INTERRUPTED
    assert terminal.lpactl("changes", "1", "--json").ok().json["state"] == "waiting"


def test_events_come_as_they_happen(terminal: Terminal) -> None:
    """`events` prints a line for each event as it happens."""
    with subprocess.Popen(
        [*terminal.command, "events"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        terminal.lpactl("info", "--refresh").ok()
        lines: list[str] = []
        while not lines or "done" not in lines[-1]:
            lines.append(process.stdout.readline().strip())
        assert lines[-1] == "change 1 refresh on modem: done"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == exit_codes.INTERRUPTED


@pytest.mark.parametrize(
    "arguments",
    [
        ("delete", FIRST),
        ("reset", "--operational"),
        ("reset", "--yes"),
        ("download",),
        ("download", "x", "--default"),
        ("nonsense",),
        ("enable",),
        ("download", "LPA:2$x"),
    ],
)
def test_contradictory_options_are_usage_errors(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    """Contradictory options are usage errors, and so are irreversible commands without a terminal."""
    assert terminal.lpactl(*arguments).code == exit_codes.USAGE
    assert terminal.lab.engine.changes() == []


def test_a_reset_with_yes_deletes_the_named_data(terminal: Terminal) -> None:
    """A reset with --yes deletes the profiles of the named class."""
    terminal.lab.install()
    terminal.lpactl("reset", "--operational", "--yes").ok()
    assert terminal.lpactl("profiles", "--json").ok().json["profiles"] == []


def test_without_a_daemon_the_exit_code_shows_it(tmp_path: Path) -> None:
    """Without a daemon, the exit code shows this, and the sentence names the socket."""
    command = ["--socket", str(tmp_path / "none.sock"), "status"]
    done = run([*Terminal(None, tmp_path / "none.sock").command[:3], *command])  # type: ignore[arg-type]  # no lab
    assert done.code == exit_codes.DAEMON
    assert "none.sock" in done.err


def test_several_cards_must_be_told_apart(terminal: Terminal) -> None:
    """An unknown card is not found, and the error names the known ones."""
    done = terminal.lpactl("--euicc", "nix", "profiles")
    assert done.code == exit_codes.STATE
    assert CARD in done.err


def test_names_cannot_drive_the_terminal(terminal: Terminal) -> None:
    """Control characters and marks of writing direction in a profile's name are shown as escapes."""
    evil = "\x1b[2J\u202eevil\r\n"
    terminal.lab.install(metadata=ProfileMetadata(iccid=FIRST, name=evil))
    done = terminal.lpactl("profiles").ok()
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    assert r"\x1b[2J\u202eevil\r\n" in done.out
    assert len(done.out.splitlines()) == 2


class TestOnATerminal:
    """The output at a terminal."""

    def converse(self, command: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
        """Run a command on a pty and type each answer after its question; return exit code and output."""
        process, descriptor = pty.fork()
        if process == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)
        shown = ""
        end = time.monotonic() + PATIENCE
        pending = list(answers)
        while time.monotonic() < end:
            if not select.select([descriptor], [], [], 1)[0]:
                continue
            try:
                data = os.read(descriptor, 4096)
            except OSError:  # The other end of the pty is closed.
                break
            shown += data.decode()
            if pending and pending[0][0] in shown:
                os.write(descriptor, f"{pending.pop(0)[1]}\n".encode())
        os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown

    def test_codes_and_consent_are_asked_for(self, terminal: Terminal) -> None:
        """The confirmation code is typed without echo, and the question for consent shows the profile."""
        order = terminal.lab.order(confirmation_code="code-98761")
        command = [*terminal.command, "download", terminal.lab.code(order), "--confirm"]
        answers = [("Confirmation code: ", "code-98761"), ("Install it?", "y")]
        code, shown = self.converse(command, answers)
        assert code == 0, shown
        assert "code-98761" not in shown
        assert "'First'" in shown
        assert f"{FIRST}  First" in shown

    def test_a_deletion_is_asked_about(self, terminal: Terminal) -> None:
        """If the user answers 'n' to the question before a deletion, the profile stays."""
        terminal.lab.install()
        code, shown = self.converse([*terminal.command, "delete", "First"], [("used up.", "n")])
        assert code == exit_codes.NEEDS_PEOPLE
        assert FIRST in shown
        assert len(terminal.lab.card.profiles) == 1

    def test_tables(self, terminal: Terminal) -> None:
        """A table has headings and rows, and markup in names is printed as text."""
        terminal.lab.install(metadata=ProfileMetadata(iccid=FIRST, name="[bold]x[/bold]"))
        code, shown = self.converse([*terminal.command, "profiles"], [])
        assert code == 0
        assert "[bold]x[/bold]" in shown
        assert "ICCID" in shown


def test_a_download_for_when_there_is_a_network(terminal: Terminal) -> None:
    """With --when-online, the command ends; the change shows what it waits for, and can be cancelled."""
    lab = terminal.lab
    code = lab.code(lab.order())
    lab.server.stop()
    queued = terminal.lpactl("download", code, "--when-online").ok()
    assert queued.out == "change 1: queued\n"
    lab.until(lambda: lab.engine.change(1), lambda seen: seen.pause is not None)
    shown = terminal.lpactl("changes", "1").ok().out
    assert "waits for a connection to the server; next attempt at" in shown
    assert "server-unreachable" in shown
    assert terminal.lpactl("cancel", "1").ok().out == "change 1: cancelled\n"


def test_a_download_that_waits_says_so(terminal: Terminal) -> None:
    """The output shows what the change waits for, and finally that it is done."""
    lab = terminal.lab
    code = lab.code(lab.order())
    lab.server.faults.add(Fault(function="initiateAuthentication", kind=FaultKind.REFUSE, value="8.8/4.4"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry_rules, "BACKOFF", {course: Backoff((0.5,)) for course in retry_rules.BACKOFF})
        done = terminal.lpactl("download", code, "--retry-for", "60").ok()
    assert "waits for the server; next attempt at" in done.err
    assert "installed" in done.out
