"""One run of the owner's program: its own process group, a time limit, limited output, exit codes.

0              done
75             try again later (EX_TEMPFAIL of sysexits.h)
anything else  failed
"""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.network.hook_runner_messages import Ended, RunAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TRY_AGAIN = 75
MOST_OUTPUT = 65_536
"""The maximum number of bytes of a program's output that are passed on; further output is dropped."""
_LOOKING = 0.2
"""Seconds after which a silent program is checked again."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def refusal(path: Path) -> str | None:
    """Return why a program must not be run; None if it may be run.

    If other users could write the file or a folder above it, they could act as the runner's user.
    """
    try:
        real = path.resolve(strict=True)
        found = real.stat()
        folders = {each: each.stat() for each in (*real.parents, *path.absolute().parents)}
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    if not stat.S_ISREG(found.st_mode):
        return f"{path.name} is not a regular file"
    holder = path.absolute().parent
    others = _others_can_write(path.name, found) or _others_can_write(f"its folder {holder}", folders[holder])
    for folder, status in folders.items():
        # In a sticky folder, such as /tmp, other users cannot replace a file.
        others = others or _others_can_write(f"the folder {folder}", status, sticky=True)
    if others is None and not os.access(real, os.X_OK):
        return f"{path.name} is not executable; make it so with chmod +x, or remove it"
    return others


def _others_can_write(what: str, found: os.stat_result, *, sticky: bool = False) -> str | None:
    if found.st_uid not in (0, os.geteuid()):
        return f"{what} belongs to another user; it must belong to root or to the runner's user"
    if found.st_mode & _WRITABLE_BY_OTHERS and not (sticky and found.st_mode & stat.S_ISVTX):
        return f"other users can write {what}; remove this permission with chmod go-w"
    return None


def run_program(
    path: Path, *, environment: Mapping[str, str], password: str, limit: float, client: int | None = None
) -> RunAnswer:
    """Run a program until it ends or reaches its time limit; then kill its process group.

    Args:
        environment: the program's variables, in addition to PATH; nothing is inherited.
        password: passed in a file in memory, which LPAD_PASSWORD_FILE names; empty: no password.
        limit: the time limit in seconds.
        client: the descriptor of the requester's connection, whose end kills the program; None: no check.
    """
    why = refusal(path)
    if why is not None:
        return RunAnswer(ended=Ended.FAILED, told=f"{why}; it was not run")
    secret = _in_memory(password) if password else None
    variables = {"PATH": _PATH, **environment}
    if secret is not None:
        variables["LPAD_PASSWORD_FILE"] = f"/proc/self/fd/{secret}"
    try:
        process = subprocess.Popen(  # noqa: S603 - runs the owner's own program
            [str(path.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=variables,
            pass_fds=() if secret is None else (secret,),
            start_new_session=True,
        )
    except OSError as error:
        return RunAnswer(ended=Ended.FAILED, told=f"{path.name} cannot be run: {error.strerror}")
    finally:
        if secret is not None:
            os.close(secret)
    with process:
        return _watched(process, path.name, limit=limit, client=client)


def _watched(process: subprocess.Popen[bytes], name: str, *, limit: float, client: int | None) -> RunAnswer:
    assert process.stdout is not None
    end = time.monotonic() + limit
    output, left = process.stdout.fileno(), MOST_OUTPUT
    watched = [each for each in (output, client) if each is not None]
    try:
        while process.poll() is None:
            seconds = end - time.monotonic()
            if seconds <= 0:
                return RunAnswer(
                    ended=Ended.FAILED, told=f"{name} took longer than {limit:g} seconds and was killed"
                )
            ready, _, _ = select.select(watched, [], [], min(seconds, _LOOKING))
            if client is not None and client in ready:
                return RunAnswer(
                    ended=Ended.FAILED, told=f"{name} was killed, because lpad closed the connection"
                )
            if output in ready:
                data = os.read(output, 65_536)
                left -= _passed_on(name, data[:left])
                if not data:
                    watched.remove(output)
    finally:
        # The group includes child processes, which would otherwise keep the modem or the output open.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return _answer(name, process.returncode)


def _answer(name: str, code: int) -> RunAnswer:
    if code == 0:
        return RunAnswer(ended=Ended.DONE, told=f"{name} is done")
    if code == TRY_AGAIN:
        return RunAnswer(ended=Ended.TRY_AGAIN, told=f"{name} asks to be run again later")
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return RunAnswer(ended=Ended.FAILED, told=f"{name} {how}; the runner's log contains the program's output")


def _passed_on(name: str, data: bytes) -> int:
    """Print a program's output, line by line, for the runner's log; return its length."""
    for line in data.decode("utf-8", "replace").splitlines():
        sys.stderr.write(f"{name}: {line}\n")
    return len(data)


def _in_memory(text: str) -> int:
    file = os.memfd_create("password", 0)
    os.write(file, text.encode())
    return file
