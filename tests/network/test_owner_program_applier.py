"""The applier `command`, whose program is a shell script that the hook runner runs."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.network.applier_interface import Applied, Failed, TryAgain, Wanted
from lpad.network.hook_runner_client import RunnerClient
from lpad.network.hook_runner_messages import HEADER
from lpad.network.owner_program_applier import CommandApplier
from network.applier_contract import (
    EID,
    EVERYTHING,
    NEW,
    NEW_SETTINGS,
    OLD,
    PASSWORD,
    WITH_SECRET,
    ApplierContract,
    Bench,
    soon,
)
from network.runner_bench import Runner, runner

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = """
state={state}
case "$LPAD_EVENT" in
    apply) printf '%s' "$LPAD_APN" > "$state" ;;
    verify) [ "$(cat "$state")" = "$LPAD_APN" ] ;;
    *) exit 0 ;;
esac
"""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Runner]:
    with runner(tmp_path) as made:
        yield made


def wanted() -> Wanted:
    return Wanted(eid=EID, iccid=NEW, settings=NEW_SETTINGS, previous_iccid=OLD)


class TestContract(ApplierContract):
    """The applier `command` passes the tests of the contract with a small shell script."""

    @pytest.fixture
    def bench(self, serving: Runner) -> Bench:
        state = serving.folder / "apn"
        serving.script(serving.command, SCRIPT.format(state=state))

        def hang() -> None:
            serving.script(serving.command, "sleep 600")

        return Bench(
            applier=CommandApplier(serving.client),
            apn=lambda: state.read_text() if state.exists() else None,
            disturb=serving.command.unlink,
            silence=hang,
        )


def test_hands_over_all_settings(serving: Runner) -> None:
    """The program gets each setting as a variable, and the password in a file."""
    out = serving.folder / "out"
    serving.script(serving.command, f'env > {out}; cat "$LPAD_PASSWORD_FILE" > {out}.password')
    settings = Wanted(eid=EID, iccid=NEW, settings=EVERYTHING, previous_iccid=OLD)
    assert isinstance(CommandApplier(serving.client).apply(settings, deadline=soon()), Applied)
    found = dict(line.split("=", 1) for line in out.read_text().splitlines())
    expected = {
        "LPAD_EVENT": "apply",
        "LPAD_EID": EID,
        "LPAD_ICCID": NEW,
        "LPAD_OLD_ICCID": OLD,
        "LPAD_APN": "all.example",
        "LPAD_AUTH": "pap",
        "LPAD_USERNAME": "user",
        "LPAD_IP_TYPE": "ipv6",
        "LPAD_ROAMING": "no",
        "LPAD_INITIAL_BEARER": "set",
        "LPAD_INITIAL_BEARER_APN": "first.example",
        "LPAD_MTU": "1400",
        "LPAD_MODEM": "",
        "LPAD_PORT": "",
    }
    assert {name: found[name] for name in expected} == expected
    assert set(found) - set(expected) <= {"LPAD_PASSWORD_FILE", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}
    assert PASSWORD not in out.read_text()
    assert (serving.folder / "out.password").read_text() == PASSWORD


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        ("exit 0", Applied, "programs that have succeeded: 1"),
        ("exit 75", TryAgain, "later"),
        ("exit 1", Failed, "exit code 1"),
        ("kill -9 $$", Failed, "signal 9"),
    ],
)
def test_exit_codes_mean_done_again_or_failed(serving: Runner, text: str, expected: type, told: str) -> None:
    """A program's exit code 0 means done, 75 means try again, and any other one is a failure."""
    serving.script(serving.command, text)
    outcome = CommandApplier(serving.client).apply(wanted(), deadline=soon())
    assert isinstance(outcome, expected)
    assert isinstance(outcome, Applied) or outcome.layer == "command"
    assert told in outcome.told


def test_a_program_that_hangs_is_killed_with_its_children(serving: Runner) -> None:
    """A program that hangs is killed at the deadline, together with its children."""
    pids = serving.folder / "pids"
    serving.script(serving.command, f"sleep 600 & echo $! > {pids}; sleep 600")
    outcome = CommandApplier(serving.client).apply(wanted(), deadline=Deadline.after(2))
    assert isinstance(outcome, Failed)
    assert "killed" in outcome.told
    child = int(pids.read_text())
    assert _is_gone(child)


def test_a_program_that_prints_megabytes_causes_no_trouble(serving: Runner) -> None:
    """A program may print megabytes, and its output is not part of the outcome."""
    serving.script(serving.command, "head -c 5000000 /dev/zero | tr '\\0' 'x'; exit 3")
    outcome = CommandApplier(serving.client).apply(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "xxx" not in outcome.told
    assert "exit code 3" in outcome.told


def test_a_child_that_keeps_the_output_open_does_not_hold_the_runner(serving: Runner) -> None:
    """A program that leaves a child behind counts as ended when it exits, and the child is killed."""
    pids = serving.folder / "pids"
    serving.script(serving.command, f"sleep 600 & echo $! > {pids}; exit 0")
    assert isinstance(CommandApplier(serving.client).apply(wanted(), deadline=soon()), Applied)
    assert _is_gone(int(pids.read_text()))


def test_files_that_others_can_write_are_refused(serving: Runner) -> None:
    """A program that other users can write to or that is not executable is refused, and not run."""
    marker = serving.folder / "ran"
    path = serving.script(serving.command, f"touch {marker}")
    path.chmod(0o757)
    outcome = CommandApplier(serving.client).apply(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "chmod go-w" in outcome.told
    path.chmod(0o755)
    path.parent.chmod(0o777)
    assert isinstance(CommandApplier(serving.client).apply(wanted(), deadline=soon()), Failed)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    outcome = CommandApplier(serving.client).apply(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert "not executable" in outcome.told
    assert not marker.exists()


def test_another_users_file_is_refused(serving: Runner) -> None:
    """A program that belongs to another user is refused."""
    path = serving.script(serving.command, "exit 0")
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        outcome = CommandApplier(serving.client).apply(wanted(), deadline=soon())
        assert isinstance(outcome, Failed)
        assert "belongs to another user" in outcome.told


def test_without_a_runner_the_failure_reports_this(tmp_path: Path) -> None:
    """If the runner's socket is missing, the failure names the systemd unit lpad-hooks.socket."""
    applier = CommandApplier(RunnerClient(str(tmp_path / "nobody.sock")))
    outcome = applier.apply(wanted(), deadline=soon())
    assert isinstance(outcome, Failed)
    assert outcome.layer == "command"
    assert "lpad-hooks.socket" in outcome.told


def test_a_runner_whose_socket_is_full_is_tried_again(tmp_path: Path) -> None:
    """If the runner's socket accepts no further connection, the outcome allows another attempt."""
    path = str(tmp_path / "full.sock")
    with ExitStack() as opened:
        listening = opened.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(path)
        listening.listen(0)
        while True:  # No process accepts connections.
            waiting = opened.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            if waiting.connect_ex(path):
                break
        outcome = CommandApplier(RunnerClient(path)).apply(wanted(), deadline=soon())
    assert isinstance(outcome, TryAgain)
    assert "busy" in outcome.told


def test_a_secret_is_in_no_outcome(serving: Runner) -> None:
    """A password that a program prints is not part of the outcome."""
    serving.script(serving.command, 'cat "$LPAD_PASSWORD_FILE"; exit 1')
    settings = Wanted(eid=EID, iccid=NEW, settings=WITH_SECRET)
    outcome = CommandApplier(serving.client).apply(settings, deadline=soon())
    assert PASSWORD not in repr(outcome)


def _is_gone(pid: int) -> bool:
    """Return whether a process ends in time; one that ended but was not reaped counts as ended."""
    deadline = soon()
    while not deadline.passed:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        except OSError:
            return True
        if stat.rpartition(")")[2].split()[0] in ("Z", "X"):
            return True
    return False


def _answering(path: Path, frame: bytes) -> threading.Thread:
    """Start a thread that answers one request at a socket with a frame, and return the thread."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        with listening:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(HEADER.pack(len(frame)) + frame)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


def test_a_runner_that_answers_at_length(tmp_path: Path) -> None:
    """A long text with control characters from the runner becomes one short, printable line."""
    frame = json.dumps({"ended": "failed", "told": "\x1b[2Jno\n" + "x" * 50_000}).encode()
    thread = _answering(tmp_path / "s", frame)
    outcome = CommandApplier(RunnerClient(str(tmp_path / "s"))).apply(wanted(), deadline=soon())
    thread.join()
    assert isinstance(outcome, Failed)
    assert outcome.told.isprintable()
    assert outcome.told.startswith(" [2Jno x")
    assert len(outcome.told) <= 501


@pytest.mark.parametrize(
    "frame", [b"[" * 60_000, b'{"told":' * 7_000, b'{"ended": "done", "told": "\\ud800"}']
)
def test_an_invalid_answer_fails_the_step(tmp_path: Path, frame: bytes) -> None:
    """An invalid answer at the runner's socket is a failure of the step."""
    thread = _answering(tmp_path / "s", frame)
    outcome = CommandApplier(RunnerClient(str(tmp_path / "s"))).apply(wanted(), deadline=soon())
    thread.join()
    assert isinstance(outcome, Failed)
    assert "is not the runner" in outcome.told


def test_a_request_that_is_nested_deeply_does_not_end_the_runner(serving: Runner) -> None:
    """After a request that is nested too deeply, the runner serves the next request."""
    for body in (b"[" * 60_000, b'{"task":' * 8_000):
        with socket.socket(socket.AF_UNIX) as odd:
            odd.connect(serving.client.path)
            odd.sendall(HEADER.pack(len(body)) + body)
            odd.settimeout(30)
            assert odd.recv(1) == b""
    serving.script(serving.command, "exit 0")
    assert isinstance(CommandApplier(serving.client).apply(wanted(), deadline=soon()), Applied)
