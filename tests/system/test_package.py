"""The package: installed, upgraded during a change, removed, installed again, and purged."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from system.gateway import CARD

if TYPE_CHECKING:
    from system.gateway import Gateway

SLOW = 57_600
"""A baud rate at which a download takes long enough to be interrupted."""
END_STATES = {"done", "failed", "cancelled"}
BUILD = Path(__file__).parents[2] / "script" / "build-deb"


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package with a higher version and a document under another name."""
    tree = tmp_path_factory.mktemp("newer") / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = tree / "DEBIAN" / "control"
    lines = control.read_text(encoding="utf-8").splitlines()
    control.write_text(
        "".join(f"{line}.1\n" if line.startswith("Version: ") else f"{line}\n" for line in lines),
        encoding="utf-8",
    )
    # debhelper compresses a document of 4 kB or more
    (old,) = (tree / "usr/share/doc/lpad/docs").glob("out-of-scope.md*")
    old.rename(old.with_name("newer.md"))
    path = tree.parent / package.name.replace("_amd64", ".1_amd64")
    subprocess.run(["dpkg-deb", "--build", "-Znone", "--root-owner-group", str(tree), str(path)], check=True)
    return path


def installed(gateway: Gateway) -> str:
    """Return dpkg's state and version of lpad, or "" if dpkg does not know the package."""
    return gateway.run(
        "dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Version}", "lpad", check=False
    )


def test_lintian_has_nothing_to_say(package: Path) -> None:
    """Lintian finds no error, warning or pedantic remark in the package."""
    found = subprocess.run(
        ["lintian", "--allow-root", "--pedantic", "--fail-on", "error,warning,pedantic", str(package)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_built_again_it_is_reused(package: Path, release: str, tmp_path: Path) -> None:
    """If nothing has changed, script/build-deb does not write the package, and prints one line."""
    for each in (package, package.with_name(f"{package.name}.made-of")):
        shutil.copy(each, tmp_path)
    there = tmp_path / package.name
    before = there.stat()
    built = subprocess.run(
        [BUILD, "--release", release, tmp_path], capture_output=True, text=True, check=True, env=os.environ
    )
    assert built.stdout.split() == [str(there)]
    assert len(built.stderr.splitlines()) == 1
    after = there.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_installed_lpad_runs_in_order(bare: Gateway, package: Path) -> None:
    """After dpkg has installed the package, lpad runs, and its files have the right owners and modes."""
    bare.install(package)
    assert bare.active("lpad.service") == bare.active("lpad.socket") == "active"
    assert bare.run("lpactl", "status").startswith("lpad ")
    assert bare.run("dpkg", "--verify", "lpad") == ""
    assert bare.run("stat", "--format=%a %U %G", "/etc/lpad/lpad.yaml").split() == ["640", "root", "lpad"]
    assert bare.run("stat", "--format=%a %U %G", "/var/lib/lpad").split() == ["700", "lpad", "lpad"]
    assert bare.run("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_the_demo_says_what_the_package_lacks(bare: Gateway) -> None:
    """Without the simulators' libraries, `lpad demo` fails and names the command that installs them."""
    assert "pip install 'lpad[sim]'" in bare.run("lpad", "demo", code=2)


def test_nothing_is_compiled_on_the_gateway(bare: Gateway) -> None:
    """After lpad has run, /usr/lib/lpad has only the files of the package."""
    there = set(bare.run("find", "/usr/lib/lpad", "-type", "f").split())
    brought = set(bare.run("dpkg", "--listfiles", "lpad").splitlines())
    assert there <= brought


def test_upgraded_in_the_middle_of_a_change(bare: Gateway, newer: Path) -> None:
    """An upgrade stops a running download, which the new version settles; the settings are kept."""
    bare.set_up(baud=SLOW)
    eid = bare.card()["eid"]
    settings = (bare.root / "etc/lpad/lpad.yaml").read_text(encoding="utf-8")
    code = bare.order()
    change = bare.lpactl("download", "--no-wait", code)["id"]
    bare.until(lambda: bare.lpactl("changes", str(change))["state"] == "running", "the download to begin")
    bare.install(newer)
    assert installed(bare).endswith(".1")
    bare.ready()
    bare.until(lambda: bare.lpactl("changes", str(change))["state"] in END_STATES, "the change to be settled")
    assert bare.card()["eid"] == eid
    if not bare.profiles():  # if the card did not get the profile, the order can still be used
        bare.lpactl("download", code)
    assert len(bare.profiles()) == 1
    assert (bare.root / "etc/lpad/lpad.yaml").read_text(encoding="utf-8") == settings
    assert bare.run("stat", "--format=%a %U %G", "/etc/lpad/lpad.yaml").split() == ["640", "root", "lpad"]
    assert "SIGKILL" not in bare.journal("--unit=lpad.service")


def test_works_after_the_upgrade(bare: Gateway) -> None:
    """After the upgrade, lpad downloads and enables a profile."""
    change = bare.lpactl("download", "--enable", bare.order())
    assert (change["state"], change["result"]["enabled"]) == ("done", True)


def test_a_removed_lpad_leaves_settings_and_journal(bare: Gateway) -> None:
    """After a removal, units and programs are gone; settings and journal remain."""
    bare.run("dpkg", "--remove", "lpad")
    assert installed(bare).startswith("rc ")
    assert (
        bare.run("systemctl", "is-active", "lpad.service", "lpad.socket", check=False).split()
        == ["inactive"] * 2
    )
    assert not (bare.root / "usr/lib/lpad").exists()
    bare.run("test", "!", "-e", "/run/lpad/lpad.sock")
    assert (bare.root / "etc/lpad/lpad.yaml").exists()
    assert (bare.root / "var/lib/lpad/journal.db").exists()


def test_another_installation_keeps_settings_and_changes(bare: Gateway, package: Path) -> None:
    """When the package is installed again, lpad still has its record of changes."""
    bare.install(package)
    assert bare.active() == "active"
    assert {each["kind"] for each in bare.lpactl("changes")["changes"]} >= {"download"}


def test_a_purged_lpad_leaves_only_its_user(bare: Gateway) -> None:
    """After a purge, all files with lpad's name are gone, and the user lpad remains."""
    bare.run("dpkg", "--purge", "lpad")
    assert installed(bare) == ""
    for path in ("etc/lpad", "var/lib/lpad", "usr/lib/lpad"):
        assert not (bare.root / path).exists(), path
    assert bare.run("id", "-un", "lpad").strip() == "lpad"
    # files outside these folders of the test
    ours = ("-path", "/srv", "-o", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/root")
    left = bare.run("find", "/", "(", *ours, ")", "-prune", "-o", "-iname", "*lpad*", "-print")
    assert left.splitlines() == []
    units = bare.run("systemctl", "list-unit-files", "lpad*", "--no-legend", check=False)
    assert units.strip() in {"", "0 unit files listed."}
    assert CARD not in bare.run("systemctl", "--failed", "--plain", "--no-legend")
