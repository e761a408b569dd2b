"""Hooks are executables in a folder, run in order of their names; their runner trusts no request."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from lpad.network.applier_interface import Applied, Failed, Wanted
from lpad.network.connection_layer_names import OwnersProgram
from lpad.network.hook_runner_messages import RunRequest, Task, framed
from lpad.network.owner_hooks import NO_HOOKS, HookEvent, Hooks
from network.applier_contract import EID, NEW, NEW_SETTINGS, soon
from network.runner_bench import Runner, runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = Wanted(eid=EID, iccid=NEW, settings=NEW_SETTINGS)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Runner]:
    with runner(tmp_path) as made:
        yield made


def test_run_in_order_of_name(serving: Runner) -> None:
    """Each hook gets the event, in order of names; files whose names begin with a dot are ignored."""
    out = serving.folder / "out"
    for name in ("20-second", "10-first", ".hidden"):
        serving.script(serving.hooks / name, f'echo "{name} $LPAD_EVENT" >> {out}')
    assert isinstance(Hooks(serving.client).run(HookEvent.PRE_SWITCH, WANTED, deadline=soon()), Applied)
    assert out.read_text().splitlines() == ["10-first pre-switch", "20-second pre-switch"]


def test_the_first_that_fails_ends_the_run(serving: Runner) -> None:
    """If a hook fails, the outcome names it, and later hooks are not run."""
    out = serving.folder / "out"
    serving.script(serving.hooks / "10-first", "exit 9")
    serving.script(serving.hooks / "20-second", f"touch {out}")
    outcome = Hooks(serving.client).run(HookEvent.CONFIRMED, WANTED, deadline=soon())
    assert isinstance(outcome, Failed)
    assert outcome.layer is OwnersProgram.HOOK
    assert "10-first failed with exit code 9" in outcome.told
    assert not out.exists()


def test_an_empty_folder_is_done(serving: Runner) -> None:
    """A run succeeds if there are no hooks, or if hooks are off."""
    assert isinstance(Hooks(serving.client).run(HookEvent.DELETED, WANTED, deadline=soon()), Applied)
    assert isinstance(NO_HOOKS.run(HookEvent.DELETED, WANTED, deadline=soon()), Applied)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\5abc",
        b"\0\0\0\2{}",
        b"\0\0\0\4null",
        b"GET / HTTP/1.1\r\n\r\n",
        framed(RunRequest(task=Task.HOOKS, environment={"LPAD_EVENT": "\0"}, limit=1)),
    ],
)
def test_garbage_does_not_end_the_runner(serving: Runner, data: bytes) -> None:
    """After invalid bytes at the socket, the runner serves the next request."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(serving.client.path)
        connection.sendall(data)
    assert isinstance(Hooks(serving.client).run(HookEvent.DELETED, WANTED, deadline=soon()), Applied)


def test_a_program_ends_with_who_asked_for_it(serving: Runner) -> None:
    """If the connection of a request ends, the runner ends the hook that runs for this request."""
    started = serving.folder / "started"
    serving.script(serving.hooks / "10-slow", f"[ -e {started} ] && exit 0; touch {started}; sleep 600")
    body = b'{"task":"hooks","environment":{"LPAD_EVENT":"x"},"limit":600}'
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(serving.client.path)
        connection.sendall(len(body).to_bytes(4, "big") + body)
        deadline = soon()
        while not started.exists():
            assert not deadline.passed
    assert isinstance(Hooks(serving.client).run(HookEvent.DELETED, WANTED, deadline=soon()), Applied)


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "BASH_ENV", "lpad_apn", "LPAD_X\n", "XLPAD_X"])
def test_a_request_brings_no_variable_but_lpads(serving: Runner, name: str) -> None:
    """A request with a variable that is not one of lpad's is dropped, and no hook is run."""
    ran = serving.folder / "ran"
    serving.script(serving.hooks / "10-hook", f"touch {ran}")
    request = RunRequest(task=Task.HOOKS, environment={"LPAD_EVENT": "x", name: "/tmp/x"}, limit=5)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(serving.client.path)
        connection.sendall(framed(request))
        assert connection.recv(1) == b""
    assert not ran.exists()


def test_a_link_in_a_folder_of_others_is_refused(serving: Runner) -> None:
    """If other users can write to the folder of hooks or its parent, even a link to a program is refused."""
    (serving.hooks / "10-link").symlink_to("/bin/true")
    hooks = Hooks(serving.client)
    assert isinstance(hooks.run(HookEvent.DELETED, WANTED, deadline=soon()), Applied)
    for mode in (0o777, 0o1777):
        serving.hooks.chmod(mode)
        outcome = hooks.run(HookEvent.DELETED, WANTED, deadline=soon())
        assert isinstance(outcome, Failed)
        assert "chmod go-w" in outcome.told
    serving.hooks.chmod(0o755)
    serving.hooks.parent.chmod(0o777)
    assert isinstance(hooks.run(HookEvent.DELETED, WANTED, deadline=soon()), Failed)
