"""The examples do what they say, against a real daemon, in each language that the machine has."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One whose downloads are tried again, as they are where the settings don't say."""
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
    environment = os.environ | {"GOCACHE": str(folder / "cache"), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
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
    """It shows no such profile first, then progress up to 100%, and the profile enabled last."""
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
    # What is no code ends the program with the daemon's sentence; so does a server that is asked again later.
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


def test_every_example_is_run() -> None:
    """A new example is added above, and to the table that readers see."""
    files = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert files == {f"download.{each}" for each in ("sh", "py", "js", "go", "c")}
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"({name})" in table for name in files)
