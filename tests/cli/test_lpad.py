"""lpad's own commands: settings, simulators, the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import lpad
from card.csim_line import open_csim_link
from cli.conftest import PATIENCE, run
from lpad.base.activation_code import ActivationCode
from lpad.base.deadline import Deadline
from lpad.base.identifiers import ISD_R
from lpad.card.at.at_link import open_at_link
from lpad.card.quirks.quirks import LinkKind
from lpad.simulator.smdp.store.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Iterator

LPAD = [sys.executable, "-m", "lpad.cli.lpad"]


@pytest.fixture
def playing() -> Iterator[list[subprocess.Popen[str]]]:
    """Yield a list for the simulators of a test; SIGTERM ends them, and their exit status must be 0."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        process.stdout.close()


def start(playing: list[subprocess.Popen[str]], *arguments: str) -> str:
    """Start a simulator and return the first line that it prints, once it is ready."""
    process = subprocess.Popen([*LPAD, "sim", *arguments], stdout=subprocess.PIPE, text=True)
    playing.append(process)
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_both_commands_print_the_version() -> None:
    """Lpad and lpactl print the package's version."""
    for module in ("lpad.cli.lpad", "lpad.cli.lpactl"):
        assert lpad.__version__ in run([sys.executable, "-m", module, "--version"]).ok().out


def test_check_config_distinguishes_valid_and_wrong_files(tmp_path: Path) -> None:
    """A valid file ends with 0, a wrong one with 2 and the mistake; a missing CA file is a mistake, too."""
    path = tmp_path / "lpad.yaml"
    path.write_text("euiccs: {modem: {port: /dev/nothing}}\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)]).ok()
    assert "is valid" in done.out
    assert "/dev/nothing" in done.err
    path.write_text("soket: x\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)])
    assert done.code == 2
    assert "did you mean 'socket'?" in done.err
    path.write_text("trust: {extra_ca_files: [missing.pem]}\n", encoding="utf-8")
    assert run([*LPAD, "check-config", str(path)]).code == 2
    assert run([*LPAD, "serve", "--config", str(tmp_path / "none.yaml")]).code == 2


def test_check_config_shows_where_each_value_comes_from(tmp_path: Path) -> None:
    """For each setting in the file and its drop-ins, a line shows the origin, but not the value."""
    path = tmp_path / "lpad.yaml"
    path.write_text("answer_within: 60\nremote: {proxy: 'http://secret:1'}\n", encoding="utf-8")
    (tmp_path / "lpad.yaml.d").mkdir()
    own = tmp_path / "lpad.yaml.d" / "10-site.yaml"
    own.write_text("answer_within: 90\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)]).ok()
    assert f"answer_within: {own}:1, instead of {path}:1\n" in done.out
    assert f"remote.proxy: {path}:2\n" in done.out
    assert "secret" not in done.out
    own.write_text("answer_within: never\n", encoding="utf-8")
    assert f"{own}:1: 'answer_within'" in run([*LPAD, "check-config", str(path)]).err


def test_check_config_checks_platforms(tmp_path: Path) -> None:
    """A wrong section of a platform is a mistake; a credential that other users can read causes a note."""
    path = tmp_path / "lpad.yaml"
    path.write_text("platforms: {mine: {like: korre}}\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)])
    assert done.code == 2
    assert "ships no description 'korre'" in done.err
    path.write_text("platforms: {mine: {like: telnyx, credentials: {key: k}}}\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)])
    assert done.code == 2
    assert "'credentials' needs api_key" in done.err
    (tmp_path / "k").write_text("secret")
    (tmp_path / "k").chmod(0o644)
    path.write_text("platforms: {mine: {like: telnyx, credentials: {api_key: k}}}\n", encoding="utf-8")
    done = run([*LPAD, "check-config", str(path)]).ok()
    assert "note: platform 'mine': other users can read" in done.err
    (tmp_path / "k").chmod(0o600)
    assert "platform" not in run([*LPAD, "check-config", str(path)]).ok().err


def test_the_daemon_loads_no_simulator_and_no_rich() -> None:
    """The daemon loads neither a simulator nor rich."""
    script = "import sys, lpad.cli.lpad, lpad.daemon.daemon; print('\\n'.join(sys.modules))"
    loaded = set(run([sys.executable, "-c", script]).ok().out.split())
    for name in ("rich", "asn1tools", "httpx", "lpad.client", "lpad.simulator"):
        assert not {each for each in loaded if each == name or each.startswith(f"{name}.")}, name


def test_a_simulated_card_behind_a_port(tmp_path: Path, playing: list[subprocess.Popen[str]]) -> None:
    """The port has the requested name, and a card answers there; the folder holds the card's memory."""
    path = tmp_path / "tty"
    told = start(
        playing, "euicc", str(tmp_path / "card"), "--pty", str(path), "--behaviour", '{"channels": 1}'
    )
    assert told == f"AT port {path}"
    deadline = Deadline.after(PATIENCE)
    link = open_csim_link(str(path))
    channel = link.open_channel([ISD_R], deadline=deadline)
    channel.close(deadline=deadline)
    link.close()
    assert (tmp_path / "card").is_dir()
    assert (tmp_path / "pki" / "ci").is_dir()


def test_a_simulated_modem_with_a_personality(tmp_path: Path, playing: list[subprocess.Popen[str]]) -> None:
    """A name selects a modem's habits, and single habits can be changed."""
    path = tmp_path / "tty"
    folder = str(tmp_path / "card")
    start(
        playing, "euicc", folder, "--pty", str(path),
        "--personality", "cgla-hex64", "--modem", '{"model": "MC7430"}',
    )  # fmt: skip
    link = open_at_link(str(path))
    link.open_channel([ISD_R], deadline=Deadline.after(PATIENCE)).close(deadline=Deadline.after(PATIENCE))
    assert link.kind is LinkKind.CGLA
    assert link.identity.model == "MC7430"
    link.close()
    assert run([*LPAD, "sim", "euicc", folder, "--personality", "nobody"]).code == 2


def test_orders_at_a_running_server(tmp_path: Path, playing: list[subprocess.Popen[str]]) -> None:
    """Another process adds orders: for a matching ID, for an EID, with a confirmation code, from a file."""
    folder = str(tmp_path / "smdp")
    assert run([*LPAD, "sim", "order", folder]).code == 3
    told = start(playing, "smdp", folder)
    code = ActivationCode.parse(run([*LPAD, "sim", "order", folder]).ok().out)
    assert str(code.address) in told
    assert code.matching_id
    named = run([*LPAD, "sim", "order", folder, "--matching-id", "ABC", "--confirmation-code", "1"]).ok()
    assert named.out.strip().endswith("$ABC$$1")
    assert run([*LPAD, "sim", "order", folder, "--matching-id", "ABC"]).code == 3
    eid = "89049032123451234512345678901235"
    assert ActivationCode.parse(run([*LPAD, "sim", "order", folder, "--eid", eid]).ok().out).matching_id == ""
    package = Orders(tmp_path / "smdp" / "orders")
    first = package.all()[0]
    (tmp_path / "profile.upp").write_bytes(package.profile(first))
    run([*LPAD, "sim", "order", folder, "--upp", str(tmp_path / "profile.upp")]).ok()
    assert package.all()[-1].metadata.iccid == first.metadata.iccid


def test_wrong_behaviours_are_named(tmp_path: Path) -> None:
    """JSON that cannot be read, and habits that do not exist, are usage errors."""
    for option, value in (
        ("--behaviour", "{"),
        ("--behaviour", "[]"),
        ("--behaviour", '{"colour": "red"}'),
        ("--modem", '{"echo": 3}'),
    ):
        assert run([*LPAD, "sim", "euicc", str(tmp_path / "card"), option, value]).code == 2


def test_the_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    """The demo prints each step with its time, ends with exit code 0, and leaves no file or process."""
    done = subprocess.run(
        [*LPAD, "demo"], capture_output=True, text=True, check=False, timeout=PATIENCE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for step in ("card found", "bytes", "profile enabled", "signature verified", "over the socket"):
        assert step in done.stdout
    folder = Path(done.stdout.split(" in a modem at ")[1].split("/ttyModem")[0])
    assert not folder.exists()
    assert str(folder) not in _command_lines()


def test_the_demo_without_a_touch() -> None:
    """With --zero-touch, the empty card gets its profile from a platform without a question."""
    done = subprocess.run(
        [*LPAD, "demo", "--zero-touch"], capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reserved, downloaded, activated and enabled" in done.stdout
    assert "install notification delivered" in done.stdout


def test_the_demo_can_be_kept() -> None:
    """--keep leaves everything running, with three commands that work, until its process is ended."""
    lines = [line.strip() for line in run([*LPAD, "demo", "--keep"]).ok().out.splitlines()]
    process = int(next(line for line in lines if "to end it: kill " in line).rsplit(" ", 1)[1])
    try:
        socket = next(line for line in lines if line.startswith("The daemon's socket: ")).split(": ")[1]
        commands = [line.split() for line in lines if "--" in line and f" {socket} " in f"{line} "]
        assert len(commands) == 3
        found = run([sys.executable, "-m", "lpad.cli.lpactl", *commands[0][1:], "--json"]).ok()
        assert json.loads(found.out)["profiles"][0]["state"] == "enabled"
        run([sys.executable, "-m", "lpad.cli.lpactl", *commands[1][1:]]).ok()
    finally:
        os.kill(process, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while socket in _command_lines() or Path(socket).parent.exists():
        assert time.monotonic() < end, "the demo did not end"
        time.sleep(0.05)  # The demo is not a child of this process, which therefore cannot wait for its end.


def _command_lines() -> str:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)
