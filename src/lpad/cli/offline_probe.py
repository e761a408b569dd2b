"""lpad probe: the report of `lpactl probe`, without a daemon or settings; the port must be free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from lpad.base.deadline import Deadline
from lpad.base.identifiers import Aid
from lpad.base.redaction import mask
from lpad.card.available_ports import find_ports
from lpad.card.port_kinds import ModemPort, ReaderPort
from lpad.cli.setup.port_or_reader_trial import try_port
from lpad.cli.terminal.output import Output
from lpad.cli.terminal.probe_report import print_report

if TYPE_CHECKING:
    from lpad.card.port_kinds import Port

_PATIENCE = 120.0
_LISTING = 10.0


@click.command("probe")
@click.option("--port", metavar="PATH", help="Port of a modem: AT, MBIM or QMI.")
@click.option("--reader", metavar="NAME", help="PC/SC reader: its name, a pattern with *, or a position.")
@click.option(
    "--baud", default=115200, show_default=True, help="Speed of the port in baud; USB modems ignore it."
)
@click.option("--aid", "aids", multiple=True, metavar="HEX", help="AID of the ISD-R to try first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--unredacted", is_flag=True, help="Show EID, IMEI and serial numbers in full.")
def probe(
    port: str | None, reader: str | None, baud: int, aids: tuple[str, ...], as_json: bool, unredacted: bool
) -> None:
    """Test a card and the link to it without the daemon, and print the result for a bug report.

    Nothing on the card is changed. Without --port and --reader, the command lists the ports and readers.
    """
    output = Output(as_json=as_json)
    ports: dict[str, Any] = msgspec.to_builtins(find_ports(deadline=Deadline.after(_LISTING)))
    chosen: list[Port] = []
    if port is not None:
        chosen.append(ModemPort(path=port, baud=baud))
    if reader is not None:
        chosen.append(ReaderPort(reader=reader))
    if not chosen:
        _list(output, ports)
        return
    if len(chosen) > 1:
        raise click.UsageError("give either --port or --reader, not both")
    if not unredacted:
        for kind in ("serial", "readers"):
            ports[kind] = [mask(name) for name in ports[kind]]
        ports["devices"] = [[mask(name) for name in device] for device in ports["devices"]]
    report = try_port(
        chosen[0],
        name=port or reader or "",
        aids=list(map(Aid.parse, aids)),
        deadline=Deadline.after(_PATIENCE),
    )
    print_report(output, msgspec.to_builtins(report.shown(unredacted=unredacted)), ports)


def _list(output: Output, ports: dict[str, Any]) -> None:
    if output.as_json:
        output.json({"ports": ports})
        return
    first = {name: device[0] for device in ports["devices"] for name in device[1:]}
    rows = [("port", name, first.get(name)) for name in ports["serial"]]
    rows += [("reader", name, None) for name in ports["readers"]]
    empty = "this device has neither a modem port nor a reader"
    output.table(("KIND", "NAME", "SAME DEVICE AS"), rows, empty=empty)
    if ports["no_readers"]:
        output.note(ports["no_readers"])
