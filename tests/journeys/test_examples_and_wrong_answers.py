"""After answers that lpad never gives, an example ends with a sentence and prints no control characters."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE
from journeys.test_examples import in_c, in_go, in_node, in_python, in_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RED = "\x1b[31m\x07\x9b31m\u202eRed"
"""Escape sequences of 7 and 8 bits, a bell, and a mark of direction."""
TRACES = re.compile(r"Traceback|panic:|^    at |Sanitizer|goroutine|Segmentation", re.MULTILINE)


def http(content: object, *, status: int = 200) -> bytes:
    """Return a response with a JSON document, or with the given bytes."""
    body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)


def chunked(*parts: bytes, complete: bool = True) -> bytes:
    """Return a chunked response with these parts, cut off in a further chunk unless `complete`."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + body + (b"0\r\n\r\n" if complete else b"ff\r\n{")


PROFILES = http({"profiles": [{"iccid": RED, "state": RED, "nickname": RED, "name": RED}]})
STARTED = {"profiles": PROFILES, "downloads": http({"id": 1})}
DONE = {"id": 1, "state": "done", "error": None, "question": None, "pause": None, "result": {"iccid": RED}}
FAILED = {**DONE, "state": "failed", "error": {"sentence": RED}, "result": None}

ANSWERS = {
    "not HTTP": {"": b"SSH-2.0-OpenSSH_9.2\r\n"},
    "nothing": {"": b""},
    "no body": {"": http(b"")},
    "a page": {"": http(b"<html>\x1b[31m</html>")},
    "a list": {"": http([])},
    "null": {"": http(None)},
    "other JSON": {"": http({"profiles": 5})},
    "a profile without fields": {"": http({"profiles": [{}]})},
    "a problem in plain text": {"": http(b"\x1b[31mbroken", status=502)},
    "a problem that is a list": {"": http([RED], status=500)},
    "a problem with control characters": {"": http({"kind": RED, "detail": RED}, status=404)},
    "profiles with control characters": {
        "profiles": PROFILES,
        "": http({"kind": RED, "detail": RED}, status=409),
    },
    "a change without a number": {"profiles": PROFILES, "": http({"id": RED})},
    "events that are not JSON": {
        **STARTED,
        "events": chunked(b"event: change\ndata: {\n\n"),
        "": http(FAILED),
    },
    "a progress of nothing": {
        **STARTED,
        "events": chunked(b'event: progress\ndata: {"sent":0,"total":0}\n\n'),
        "": http(FAILED),
    },
    "a state with control characters": {
        **STARTED,
        "events": chunked(b"event: change\ndata: " + json.dumps({"id": 1, "state": RED}).encode() + b"\n\n"),
        "": http(FAILED),
    },
    "events that break off": {
        **STARTED,
        "events": chunked(b"event: change\n", complete=False),
        "": http(FAILED),
    },
    "a result with control characters": {
        **STARTED,
        "events": chunked(b'event: change\ndata: {"id":1,"state":"done"}\n\n'),
        "changes": http(DONE),
        "": http({**DONE, "state": RED}),
    },
}
"""For each case, the answers by a part of the request's path; "" is for all other paths."""


@contextmanager
def answering(path: Path, answers: dict[str, bytes]) -> Iterator[None]:
    """Serve a Unix socket that answers each request by its path, and then closes the connection."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the listener is closed below
            with connection:
                request = connection.recv(65_536).decode("latin-1")
                target = request.split(" ")[1] if " " in request else ""
                part = next(part for part in answers if part in target.split("?")[0])
                try:
                    connection.sendall(answers[part])
                except OSError:
                    continue  # The example may close the connection early.

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(in_shell, marks=pytest.mark.programs("curl", "jq")),
        in_python,
        pytest.param(in_node, marks=pytest.mark.programs("node")),
        pytest.param(in_go, marks=pytest.mark.programs("go")),
        pytest.param(in_c, marks=pytest.mark.programs("cc", "curl-config")),
    ],
)
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """An example's command line, built once."""
    build: Callable[[Path], list[str]] = request.param
    return build(tmp_path_factory.mktemp("example"))


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_example_ends_with_a_sentence(
    tmp_path: Path, command: list[str], answers: dict[str, bytes]
) -> None:
    """After a wrong answer, the example fails with a sentence and without control characters."""
    path = tmp_path / "lpad.sock"
    with answering(path, answers):
        ran = subprocess.run(
            [*command, CARD, "LPA:1$smdp.example$X"],
            env=os.environ | {"LPAD_SOCKET": str(path)},
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    shown = (ran.stdout + ran.stderr).decode("utf-8", errors="surrogateescape")
    assert ran.returncode not in (0, -11), shown
    assert ran.stderr.strip()
    assert not TRACES.search(shown), shown
    assert len(ran.stderr.splitlines()) <= 3, shown
    assert [each for each in shown if each != "\n" and unicodedata.category(each) in ("Cc", "Cf")] == []
