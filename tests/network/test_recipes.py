"""The recipes in docs/network.md are run unchanged, except for paths, with fake programs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "network.md"
RECIPES = re.findall(
    r"```sh\n(#!/bin/sh\n# /etc/lpad/network-command.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL
)
VARIABLES = {
    "LPAD_APN": "iot.example",
    "LPAD_AUTH": "chap",
    "LPAD_USERNAME": "user",
    "LPAD_IP_TYPE": "ipv4v6",
}
FAKE = """#!/bin/sh
echo "$(basename "$0") $*" >> {folder}/calls
case "$*" in
    "set network.wwan.apn="*) printf '%s' "${{2#network.wwan.apn=}}" > {folder}/apn ;;
    "-q get network.wwan.apn") cat {folder}/apn ;;
esac
"""


def run(folder: Path, recipe: str, event: str, **more: str) -> int:
    """Run a recipe for an event with files and fake programs in a folder; return its exit code."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (folder / "etc" / "ppp").mkdir(parents=True, exist_ok=True)
    for name in ("uci", "ifup", "ifdown", "pon", "poff"):
        (programs / name).write_text(FAKE.format(folder=folder), encoding="utf-8")
        (programs / name).chmod(0o755)
    script = folder / "network-command"
    script.write_text(recipe.replace("/etc/ppp", f"{folder}/etc/ppp"), encoding="utf-8")
    script.chmod(0o755)
    environment = {"PATH": f"{programs}:{os.defpath}", "LPAD_EVENT": event, **VARIABLES, **more}
    return subprocess.run([str(script)], env=environment, check=False).returncode


def test_the_document_has_them() -> None:
    """docs/network.md has recipes for OpenWrt and for an owner's own dialler."""
    assert len(RECIPES) == 2
    assert "uci set network.wwan.apn" in RECIPES[0]
    assert "/etc/ppp/apn" in RECIPES[1]


@pytest.mark.parametrize("recipe", RECIPES, ids=["OpenWrt", "dialler"])
def test_a_recipe_keeps_the_contract(tmp_path: Path, recipe: str) -> None:
    """A recipe succeeds for each event, even a new one, and its `verify` fails for another APN."""
    for event in ("prepare", "apply", "apply", "connect", "verify", "undo", "forget", "something-new"):
        assert run(tmp_path, recipe, event) == 0, event
    assert run(tmp_path, recipe, "verify", LPAD_APN="another.example") != 0
    assert run(tmp_path, recipe, "apply", LPAD_APN="") == 0
    assert run(tmp_path, recipe, "verify", LPAD_APN="") == 0


def test_openwrt_gets_the_password(tmp_path: Path) -> None:
    """The OpenWrt recipe reads the password from the file that lpad names, and restarts the interface."""
    file = tmp_path / "password"
    file.write_text("pa55-of-the-recipe", encoding="utf-8")
    assert run(tmp_path, RECIPES[0], "apply", LPAD_PASSWORD_FILE=str(file)) == 0
    assert run(tmp_path, RECIPES[0], "connect") == 0
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "uci set network.wwan.password=pa55-of-the-recipe" in calls
    assert calls[-2:] == ["ifdown wwan", "ifup wwan"]
