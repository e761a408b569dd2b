"""Power switches, each by what it leaves outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hil.bench import Power
from hil.power import SysfsSwitch, power_switch
from lpad.errors import CardUnreachable


def test_a_command(tmp_path: Path) -> None:
    """The user's own command is told on and off, and what it says of a failure is passed on."""
    switch = power_switch(Power(command=["/bin/sh", "-c", f"echo {{state}} >>{tmp_path}/said"]))
    switch.off()
    switch.on()
    assert (tmp_path / "said").read_text() == "off\non\n"
    with pytest.raises(CardUnreachable, match="ended with 3: stuck"):
        power_switch(Power(command=["/bin/sh", "-c", "echo stuck >&2; exit 3 # {state}"])).on()
    with pytest.raises(CardUnreachable, match="No such file"):
        power_switch(Power(command=["/nowhere/relay", "{state}"])).on()


def test_uhubctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of a hub is switched as uhubctl(8) wants it."""
    program = tmp_path / "uhubctl"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    switch = power_switch(Power(uhubctl="1-1.2:3"))
    switch.off()
    switch.on()
    assert (tmp_path / "said").read_text().splitlines() == [
        "--location 1-1.2 --ports 3 --action off",
        "--location 1-1.2 --ports 3 --action on",
    ]


def test_sysfs(tmp_path: Path) -> None:
    """The kernel is told to unbind a device that is bound and to bind one that isn't, and nothing else."""
    switch = SysfsSwitch("1-1.4", drivers=tmp_path)
    (tmp_path / "1-1.4").mkdir()
    switch.on()
    switch.off()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["1-1.4", "unbind"]
    assert (tmp_path / "unbind").read_text() == "1-1.4"
    (tmp_path / "1-1.4").rmdir()
    switch.on()
    assert (tmp_path / "bind").read_text() == "1-1.4"
    with pytest.raises(CardUnreachable, match="root may"):
        SysfsSwitch("1-1.4", drivers=Path("/nowhere")).on()
    assert isinstance(power_switch(Power(sysfs="1-1.4")), SysfsSwitch)
