"""The examples work with a real daemon, in each language that is installed on the machine."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.engine.webhooks.signing_keys import read_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway whose downloads are retried for an hour."""
    with Gateway(settings={"downloads": {"retry_for": 3600}}) as running:
        running.ready()
        yield running


def in_shell(_folder: Path) -> list[str]:
    return ["sh", str(EXAMPLES / "download.sh")]


def in_python(_folder: Path) -> list[str]:
    return ["python3", "-W", "error", str(EXAMPLES / "download.py")]


def in_node(_folder: Path) -> list[str]:
    return ["node", str(EXAMPLES / "download.js")]


def in_go(folder: Path) -> list[str]:
    program = folder / "download"
    # All tests share the cache, so that each process of the suite compiles the library once.
    cache = str(folder.parent / "go-cache")
    environment = os.environ | {"GOCACHE": cache, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    source = EXAMPLES / "download.go"
    subprocess.run(["go", "vet", str(source)], check=True, env=environment)
    subprocess.run(["go", "build", "-o", str(program), str(source)], check=True, env=environment)
    return [str(program)]


def in_c(folder: Path) -> list[str]:
    program = folder / "download"
    flags = subprocess.run(
        ["curl-config", "--cflags", "--libs"], check=True, capture_output=True, text=True
    ).stdout.split()
    warnings = [
        "-std=c11",
        "-D_DEFAULT_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=address,undefined",
    ]
    subprocess.run(["cc", *warnings, str(EXAMPLES / "download.c"), "-o", str(program), *flags], check=True)
    return [str(program)]


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(in_shell, marks=pytest.mark.programs("curl", "jq")),
        in_python,
        pytest.param(in_node, marks=pytest.mark.programs("node")),
        pytest.param(in_go, marks=pytest.mark.programs("go")),
        pytest.param(in_c, marks=pytest.mark.programs("cc", "curl-config")),
    ],
)
def test_an_example_lists_downloads_and_switches(
    gateway: Gateway, profile: Callable[[], bytes], tmp_path: Path, build: Callable[[Path], list[str]]
) -> None:
    """An example first lists no profile, then shows progress up to 100%, and finally the enabled profile."""
    command = build(tmp_path)
    code = gateway.order(profile())
    environment = os.environ | {"LPAD_SOCKET": str(gateway.socket)}
    ran = subprocess.run(
        [*command, CARD, code], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (enabled,) = [each for each in gateway.client.profiles(CARD) if each.state == "enabled"]
    lines = [line.strip() for line in ran.stdout.splitlines()]
    assert f"profile {enabled.iccid} enabled {enabled.name}" in lines
    first_change = next(number for number, line in enumerate(lines) if line.startswith("change "))
    assert not any(enabled.iccid in line for line in lines[:first_change])
    assert "100%" in lines
    assert re.fullmatch(r"change \d+: done", next(line for line in reversed(lines) if "change" in line))
    assert f"enable {enabled.iccid}: done" in lines
    # After an invalid code, or a temporary failure of the server, the program prints the daemon's sentence.
    for wrong, told in (
        ("nonsense", "activation code"),
        ("LPA:1$smdp.invalid$X", "cannot look up smdp.invalid"),
    ):
        failed = subprocess.run(
            [*command, CARD, wrong],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert failed.returncode != 0
        assert told in failed.stdout + failed.stderr
        assert "Traceback" not in failed.stderr
    (waits,) = [each for each in gateway.client.changes() if each.state == "waiting"]
    gateway.client.cancel(waits.id)


BUILDS = [
    pytest.param(in_shell, marks=pytest.mark.programs("curl", "jq")),
    in_python,
    pytest.param(in_node, marks=pytest.mark.programs("node")),
    pytest.param(in_go, marks=pytest.mark.programs("go")),
]


@pytest.mark.parametrize("build", BUILDS)
def test_an_example_controls_no_terminal(
    gateway: Gateway, tmp_path: Path, build: Callable[[Path], list[str]]
) -> None:
    """An example prints a profile's name without its escape sequences and marks of direction."""
    command = build(tmp_path)
    iccid = gateway.install_profile(name="\x1b[31mRed\u202e")
    try:
        ran = subprocess.run(
            [*command, CARD, "nonsense"],
            env=os.environ | {"LPAD_SOCKET": str(gateway.socket)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        (line,) = [each for each in ran.stdout.splitlines() if iccid in each]
        assert "[31mRed" in line
        assert not {"\x1b", "\u202e"} & set(line)
    finally:
        gateway.client.delete(CARD, iccid, wait=PATIENCE).check()


@pytest.mark.parametrize("build", BUILDS)
def test_an_example_without_lpad_shows_no_traceback(
    tmp_path: Path, build: Callable[[Path], list[str]]
) -> None:
    """Without a daemon, an example fails with at most two lines of error output and no traceback."""
    ran = subprocess.run(
        [*build(tmp_path), CARD, "nonsense"],
        env=os.environ | {"LPAD_SOCKET": str(tmp_path / "none.sock")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) <= 2


@contextmanager
def receiving(command: list[str], key: Path) -> Iterator[tuple[int, Iterator[str]]]:
    """Run a webhook receiver on a free port; yield its port and an iterator of its printed lines."""
    process = subprocess.Popen(
        [*command, str(key), "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("listening on port "), first
        yield int(first.split()[-1]), iter(process.stdout.readline, "")
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


HMAC = "whsec_" + base64.b64encode(b"a key of an example, long enough").decode()
SEED = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("command", "signs", "verifies"),
    [
        pytest.param(
            ["python3", "-W", "error", str(EXAMPLES / "webhook_receiver.py")], HMAC, HMAC, id="python"
        ),
        pytest.param(
            ["node", str(EXAMPLES / "webhook_receiver.js")],
            HMAC,
            HMAC,
            id="node",
            marks=pytest.mark.programs("node"),
        ),
        pytest.param(
            ["node", str(EXAMPLES / "webhook_receiver.js")],
            f"whsk_{SEED}",
            None,
            id="node, Ed25519",
            marks=pytest.mark.programs("node"),
        ),
    ],
)
def test_a_receiver_verifies_and_prints_events(
    tmp_path: Path,
    profile: Callable[[], bytes],
    command: list[str],
    signs: str,
    verifies: str | None,
) -> None:
    """The receiver accepts signed events, prints a repeated one once, and refuses an unsigned request."""
    (tmp_path / "signs").write_text(signs, encoding="ascii")
    (tmp_path / "signs").chmod(0o600)
    public = read_key(signs, where="signs").public
    (tmp_path / "verifies").write_text(verifies or str(public), encoding="ascii")
    with receiving(command, tmp_path / "verifies") as (port, lines):
        endpoint = {"url": f"http://127.0.0.1:{port}/", "keys": [str(tmp_path / "signs")]}
        with Gateway(settings={"webhooks": {"backend": endpoint}}) as gateway:
            gateway.ready()
            found = gateway.client.webhooks.test("backend")
            assert (found.accepted, found.status) == (True, 204)
            change = gateway.client.download(CARD, activation_code=gateway.order(profile()), wait=PATIENCE)
            iccid = str((change.check().result or {})["iccid"])
            installed = next(line for line in lines if "org.lpad.profile.installed.v1" in line)
            assert iccid in installed
            sequence = int(installed.split()[0])
            assert gateway.client.webhooks.redeliver("backend", sequence) == 1
            gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
            others = takewhile(lambda line: "org.lpad.profile.enabled.v1" not in line, lines)
            assert [line for line in others if int(line.split()[0]) == sequence] == []  # printed once
        unsigned = urllib.request.Request(f"http://127.0.0.1:{port}/", b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(unsigned, timeout=PATIENCE)


def test_every_example_is_run() -> None:
    """A test runs each example, and examples/README.md lists it."""
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    receivers = {f"webhook_receiver.{each}" for each in ("py", "js")}
    downloads = {f"download.{each}" for each in ("sh", "py", "js", "go", "c")}
    agents = {"aws_jobs_agent.py"}  # run by tests/mqtt/test_aws_jobs.py
    assert files == downloads | receivers | agents
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"({name})" in table for name in files)
