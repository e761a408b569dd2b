"""lpad without any extra, as `pip install lpad` installs it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import lpad

EXTRAS = (
    *("asn1tools", "cryptography", "httpx", "dbus_fast"),
    *("smartcard", "pyscard", "PIL", "segno", "zxingcpp", "pytest"),
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with lpad and all libraries but those of the extras."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "lpad").symlink_to(Path(lpad.__file__).parent)  # lpad may be elsewhere
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.startswith((*EXTRAS, "lpad")) and each.suffix != ".pth":
            (folder / each.name).symlink_to(each)
    return folder


def run(gateway: Path, *arguments: str, module: str = "lpad.cli.lpad") -> subprocess.CompletedProcess[str]:
    code = (
        f"import runpy, sys; sys.path.append({str(gateway)!r});"
        f" sys.argv = ['lpad', *{arguments!r}]; runpy.run_module({module!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo",),
        ("demo", "--keep"),
        ("demo", "--help"),
        ("sim",),
        ("sim", "euicc", "/tmp/x", "--pty", "/tmp/y"),
    ],
)
def test_the_simulators_commands_say_what_to_install(gateway: Path, arguments: tuple[str, ...]) -> None:
    """Without its libraries, a simulator's command prints one sentence with the remedy, and exits with 2."""
    done = run(gateway, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "Error: the simulators need asn1tools and cryptography: install lpad in a virtual environment with"
        " \"pip install 'lpad[sim]'\" (the Debian package does not contain the simulators' libraries)\n"
    )


def test_the_platforms_command_says_what_to_install(gateway: Path) -> None:
    """A command of another extra also names the package to install."""
    done = run(gateway, "platform", "list", "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: 'lpad platform' needs httpx: install lpad in a virtual environment with"
        " \"pip install 'lpad[platforms]'\"\n"
    )


def test_the_help_lists_them_all_the_same(gateway: Path) -> None:
    """The help lists a command whose libraries are missing, with the extra that the command needs."""
    done = run(gateway, "--help")
    assert done.returncode == 0
    assert done.stdout.count("pip install 'lpad[sim]'") == 2
    assert done.stdout.count("pip install 'lpad[platforms]'") == 1


def test_a_gateway_needs_none_of_them(gateway: Path, tmp_path: Path) -> None:
    """The daemon's modules, the check of its settings, and lpactl work without the extras."""
    path = tmp_path / "lpad.yaml"
    path.write_text("euiccs: {modem: {port: /dev/null}, reader: {reader: 0}}\n", encoding="utf-8")
    assert run(gateway, "check-config", str(path)).returncode == 0
    assert run(gateway, "--help", module="lpad.cli.lpactl").returncode == 0
    assert run(gateway, module="lpad.daemon.daemon").returncode == 0
    assert "serial port" in run(gateway, "probe", "--port", str(path)).stdout
