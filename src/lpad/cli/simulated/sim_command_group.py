"""lpad sim: the simulated card, servers and platform, for developers without hardware."""

from __future__ import annotations

import click

from lpad.cli.simulated.sim_euicc import euicc
from lpad.cli.simulated.sim_orders import order, release
from lpad.cli.simulated.sim_platform import platform
from lpad.cli.simulated.sim_smdp_and_smds import smdp, smds
from lpad.cli.terminal.untruncated_help import CompleteHelpGroup


@click.group(cls=CompleteHelpGroup)
def sim() -> None:
    """Run a simulated card, server or platform."""


for _command in (euicc, smdp, smds, platform, order, release):
    sim.add_command(_command)
