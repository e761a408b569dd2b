"""The files, settings and libraries in the recipes of docs/fleet.md exist in this release."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.lab import CARD, Lab
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.engine.change.change import Kind
from lpad.engine.snapshot.snapshot import CardState
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from lpad.simulator.pki.pki import Pki

ROOT = Path(__file__).parents[2]
FLEET = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
ROLE = ROOT / "package" / "ansible" / "roles" / "lpad"


def blocks(language: str) -> list[str]:
    """Return the code blocks of docs/fleet.md in a language."""
    return re.findall(rf"```{language}\n(.*?)```", FLEET, re.DOTALL)


def settings_in(found: object) -> list[Any]:
    """Return the settings that a recipe writes to drop-ins."""
    if isinstance(found, dict):
        here = [found["lpad_settings"]] if "lpad_settings" in found else []
        if str(found.get("path", "")).endswith("/50-fleet.yaml"):
            here.append(yaml.safe_load(found["content"]))
        return here + [each for value in found.values() for each in settings_in(value)]
    return [each for value in found for each in settings_in(value)] if isinstance(found, list) else []


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_yaml_of_a_recipe_can_be_read(text: str) -> None:
    """The blocks for cloud-init, Ansible and Compose are valid YAML."""
    assert yaml.safe_load(text)


def test_the_drop_ins_of_recipes_are_valid(tmp_path: Path) -> None:
    """The daemon accepts the settings that the recipes write."""
    drop_ins = [each for text in blocks("yaml") for each in settings_in(yaml.safe_load(text))]
    assert len(drop_ins) == 2
    path = tmp_path / "lpad.yaml"
    for each in drop_ins:
        path.write_text(yaml.safe_dump(each), encoding="utf-8")
        assert SettingsFile.read(path).settings.euiccs


def test_the_toml_of_a_recipe_can_be_read() -> None:
    """The recipe's file for thin-edge.io is valid TOML, and names a drop-in."""
    (text,) = blocks("toml")
    assert tomllib.loads(text)["files"][0]["path"].startswith("/etc/lpad/lpad.yaml.d/")


def test_the_role_is_complete() -> None:
    """In the Ansible role, each variable has a default, and each notified handler exists."""
    tasks, handlers = (
        yaml.safe_load((ROLE / part / "main.yml").read_text()) for part in ("tasks", "handlers")
    )
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    used = set(re.findall(r"{{ (\w+)", (ROLE / "tasks" / "main.yml").read_text(encoding="utf-8")))
    assert used == defaults.keys()
    assert {each["notify"] for each in tasks if "notify" in each} <= {each["name"] for each in handlers}


def test_the_container_is_made_of_existing_files() -> None:
    """The Dockerfile copies only existing files, and links only commands that lpad installs."""
    text = (ROOT / "package" / "container" / "Dockerfile").read_text(encoding="utf-8")
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (ROOT / source).exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"/opt/lpad/bin/(lp\w+)", text)) <= project["scripts"].keys()


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("tcp:example.com:7", "the port in the condition"),
        ("http://example.com/", "80"),
        ("https://example.com/", "443"),
        ("dns:example.com", "53"),
    ],
)
def test_the_firewall_list_has_each_condition(text: str, port: str) -> None:
    """The list of connections in docs/fleet.md has each reachability check, with its port."""
    condition = Condition.parse(text)
    assert port == str(condition.port) or condition.kind is ConditionKind.TCP
    (row,) = [each for each in FLEET.splitlines() if each.startswith("| lpad |") and "conditions" in each]
    assert f"`{condition.kind}:`" in row
    assert port in row


@pytest.mark.parametrize("there", [True, False], ids=["card", "no card"])
def test_the_state_script_of_mender(tmp_path: Path, pki: Pki, *, there: bool) -> None:
    """Mender's state script succeeds if the card is ready, and fails if it is not."""
    (text,) = blocks("sh")
    script = tmp_path / "ArtifactCommit_Enter_50_lpad"
    script.write_text(text.replace("seq 60", "seq 2").replace("sleep 5", "sleep 0"), encoding="utf-8")
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        if not there:
            lab.modem.close()
            lab.carry_out(Kind.REFRESH)
            lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is not CardState.READY)
        program = tmp_path / "lpactl"
        terminal = Terminal(lab, gateway.path)
        program.write_text(f'#!/bin/sh\nexec {shlex.join(terminal.command)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", str(script)], env=os.environ | path, check=False)
    assert done.returncode == (0 if there else 1)


@pytest.mark.parametrize("recipe", ["openwrt/Makefile", "yocto/lpad_git.bb"])
def test_a_recipe_names_every_library(recipe: str) -> None:
    """Each library that lpad needs is in the OpenWrt or Yocto recipe, and in docs/fleet.md."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "package" / recipe).read_text(encoding="utf-8")
    for needed in project["dependencies"]:
        name = re.split(r"[><=]", needed)[0]
        assert name in FLEET
        other = {"PyYAML": ("python3-yaml", "python3-pyyaml")}.get(name, (f"python3-{name}",))
        assert any(each in text for each in other), name


def test_the_openwrt_package_has_the_released_version() -> None:
    """The recipe for OpenWrt downloads the latest release in the changelog."""
    text = (ROOT / "package" / "openwrt" / "Makefile").read_text(encoding="utf-8")
    released = re.findall(
        r"^## ([0-9.]+) \(", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert re.findall(r"^PKG_VERSION:=(.*)$", text, re.MULTILINE) == released[:1]
