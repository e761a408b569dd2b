"""lpad sim platform: a simulated operator's platform in front of a simulated SM-DP+."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.cli.simulated.folder_options import FOLDER, PKI, beside
from lpad.cli.simulated.foreground_server import PORT, served
from lpad.cli.simulated.order_creation import register_events
from lpad.cli.terminal.output import Output
from lpad.simulator.pki.pki import Pki
from lpad.simulator.platform.faults import Faults
from lpad.simulator.platform.platform_kinds import VENDORS
from lpad.simulator.platform.reservations import Pace
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.store.orders import Orders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lpad.simulator.smdp.store.order import Order


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--like", type=click.Choice(sorted(VENDORS)), required=True, help="Platform whose interface to simulate."
)
@PORT
@click.option(
    "--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="IPv4 address to listen on."
)
@click.option(
    "--queries",
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="Number of queries after which an ordered profile is available.",
)
@click.option("--faults", metavar="JSON", help="Faults to produce; see docs/simulator.md.")
@click.option(
    "--discovery",
    "smds_folder",
    type=FOLDER,
    help="Folder of the SM-DS at which a desk registers its orders, instead of giving activation codes.",
)
@PKI
def platform(
    folder: Path,
    like: str,
    port: int,
    bind: str,
    queries: int,
    faults: str | None,
    smds_folder: Path | None,
    pki_folder: Path | None,
) -> None:
    """Run a simulated platform until Ctrl-C. FOLDER is that of the simulated SM-DP+ with the orders."""
    if smds_folder is not None and like != "desk":
        raise click.UsageError("--discovery needs --like desk: the other platforms give activation codes")
    pki = Pki.open(pki_folder or beside(folder))
    orders = Orders(folder / "orders")

    def announce(order: Order) -> None:
        assert smds_folder is not None, "announce is used only with the folder of an SM-DS"
        register_events(orders, order, [smds_folder], AddressFile.read(folder).address)

    shelf = SmdpShelf(
        orders,
        address=lambda: AddressFile.read(folder).address,
        announce=announce if smds_folder is not None else None,
    )
    server = SimulatedPlatform(
        like,
        pki=pki,
        shelf=shelf,
        port=port,
        bind=bind,
        pace=Pace(profile=queries),
        faults=Faults.from_json(faults) if faults else None,
    )
    with served(server, bind=bind, port=port):
        Output().line(f"platform like {like} on {bind}:{server.port}; the settings of a daemon for it:")
        for line in _settings(
            server, credentials=folder / f"platform-{like}", ca=_ca(pki_folder or beside(folder))
        ):
            Output().line(line)


def _settings(server: SimulatedPlatform, *, credentials: Path, ca: Path) -> list[str]:
    """Write the credentials into files, and return the lines of a daemon's settings."""
    credentials.mkdir(parents=True, exist_ok=True)
    for name, value in server.credentials.items():
        path = credentials / name
        path.touch(mode=0o600)
        path.write_text(f"{value}\n", encoding="utf-8")
    files = {name: str((credentials / name).absolute()) for name in server.credentials}
    section = {"like": server.like, "base": server.base, "credentials": _flow(files)}
    if server.options:
        section["options"] = _flow(server.options)
    if server.product is not None:
        section["product"] = server.product
    section["ca_files"] = f"[{ca.absolute()}]"
    return [
        "platforms:",
        f"  my_{server.like}:",
        *(f"    {name}: {value}" for name, value in section.items()),
        "remote:",
        "  hosts:",
        *(f"    {host}: {target}" for host, target in server.hosts.items()),
    ]


def _flow(values: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in values.items())}}}"


def _ca(pki: Path) -> Path:
    return pki / "ci" / "CERT_CI_ECDSA_NIST.der"
