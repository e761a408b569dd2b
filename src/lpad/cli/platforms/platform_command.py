"""lpad platform: checks, tries and lists operators' platforms, and verifies their callbacks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Eid
from lpad.cli.platforms.platform_choice import CONFIG, from_settings, named, tried_platform
from lpad.cli.platforms.tagged_lines_command import lines
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, safe
from lpad.cli.terminal.untruncated_help import CompleteHelpGroup
from lpad.engine.provisioning.wish_record import WishRecord
from lpad.provisioning.declared.masked_exchange_record import ExchangeRecord
from lpad.provisioning.declared.platform_file import read_declaration, shipped
from lpad.provisioning.declared.platform_file_check import check as check_declaration
from lpad.provisioning.desk_callback_signatures import SCHEMES, Callback
from lpad.provisioning.desk_callback_signatures import verify as verify_callback
from lpad.provisioning.platform_interface import Activates, Finds, LineAction, Wish

if TYPE_CHECKING:
    from typing import BinaryIO

    from lpad.engine.provisioning.platforms import OpenPlatform
    from lpad.provisioning.declared.platform_opening import OpenablePlatform
    from lpad.provisioning.http.httpx_transport import Exchange
    from lpad.provisioning.platform_interface import Reservation

PATIENCE = 120.0
"""Seconds for one query of a platform, with all its calls."""
_ACTIVATES = {Activates.BEFORE: "before the download", Activates.AFTER: "after installing"}
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=CompleteHelpGroup)
def platform() -> None:
    """Check, try and list operators' platforms, and verify their callbacks."""


platform.add_command(lines)


@platform.command()
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Check a platform's FILE without the network: keys, placeholders, calls, and sample answers.

    FILE may also be the name of one of lpad's descriptions.
    """
    found = check_declaration(read_declaration(shipped().get(str(file), file)))
    for sentence in found:
        click.echo(f"{file}: {sentence}", err=True)
    if found:
        sys.exit(exit_codes.USAGE)
    Output().line(f"{file} is valid")


@platform.command("try")
@click.argument("file")
@click.option("--eid", required=True, help="EID of the card whose orders are searched for.")
@click.option("--record", type=_FILE, help="Keep the exchanges in this file, with secrets masked.")
@click.option(
    "--credential",
    "credentials",
    multiple=True,
    metavar="NAME=FILE",
    help="Credential that FILE needs, in a file that only you can read. Repeatable.",
)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Option of FILE. Repeatable.")
@click.option("--base", metavar="URL", help="Address of the platform, in place of that in FILE.")
@click.option("--ca-file", "ca_files", type=_FILE, multiple=True, help="CA certificate. Repeatable.")
@CONFIG
def try_(
    file: str,
    eid: str,
    record: Path | None,
    credentials: tuple[str, ...],
    options: tuple[str, ...],
    base: str | None,
    ca_files: tuple[Path, ...],
    config: Path,
) -> None:
    """Query a platform for a card's reservations; nothing is ordered or changed.

    FILE is a platform's description, the name of one that comes with lpad, or a platform's name in the
    settings, which also have its credentials.
    """
    card = Eid.parse(eid)
    taken: list[Exchange] = []
    found = tried_platform(
        file,
        config=config,
        credentials=credentials,
        options=options,
        base=base,
        ca_files=ca_files,
        observe=taken.append,
    )
    keeper = ExchangeRecord(found.declaration, credentials=found.settings.credentials)
    try:
        with found.opened() as opened:
            reference = WishRecord(platform=found.name).reference(card.digits)
            wish = Wish(reference=reference, eid=card.digits)
            if found.can.finds is Finds.NOTHING:
                lines = [_answers(found, opened)]
            else:
                reservations = opened.find(wish, deadline=Deadline.after(PATIENCE))
                lines = [_told(opened.look(each, deadline=Deadline.after(PATIENCE))) for each in reservations]
    finally:
        if record is not None:
            for exchange in taken:
                keeper.take(exchange)
            click.echo(f"{keeper.write(record)} exchanges in {record}", err=True)
    for line in lines or [f"the platform '{found.name}' answers, and has no reservation for this card"]:
        Output().line(safe(line))


@platform.command("list")
@CONFIG
def list_(config: Path) -> None:
    """List the platforms of the settings, and the descriptions that come with lpad."""
    rows = (
        [
            (each.name, "settings", each.declaration.title, _abilities(each))
            for each in from_settings(config, lambda _: None)
        ]
        if config.exists()
        else []
    )
    rows += [(name, "shipped", read_declaration(path).title, "") for name, path in shipped().items()]
    Output().table(("NAME", "FROM", "TITLE", "CAN"), rows, empty="there are none")


@platform.command()
@click.argument("name")
@CONFIG
def products(name: str, config: Path) -> None:
    """List the products of the platform NAME in the settings, with price and validity."""
    with named(config, name).opened() as opened:
        found = opened.products(deadline=Deadline.after(PATIENCE))
    rows = [
        (each.id, each.name or "", each.price or "", each.validity or "", each.coverage or "")
        for each in found
    ]
    Output().table(
        ("ID", "NAME", "PRICE", "VALIDITY", "COVERAGE"), rows, empty="the platform lists no products"
    )


@platform.command()
@click.argument("scheme", type=click.Choice(tuple(SCHEMES)))
@click.argument("body", type=click.File("rb"))
@click.option("--secret-file", type=_FILE, required=True, help="File with the secret or the public key.")
@click.option("--url", required=True, help="URL to which the callback was sent.")
@click.option("--method", default="POST", show_default=True, help="HTTP method of the callback.")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="Header. Repeatable.")
def verify(
    scheme: str, body: BinaryIO, secret_file: Path, url: str, method: str, headers: tuple[str, ...]
) -> None:
    """Verify the signature of a captured callback; BODY is the file of its body, byte for byte.

    This command is for authors of a desk; gateways receive no callbacks. A valid signature proves the sender
    of a callback, but not its time: refuse old callbacks, and check the state at the platform before you act
    on a callback.
    """
    secret = secret_file.read_text(encoding="utf-8").strip()
    callback = Callback(method, url, dict(map(_header, headers)), body.read())
    moment = verify_callback(scheme, callback, secret=secret)
    age = "" if moment is None else f", signed {time.time() - moment:.0f} seconds ago"
    Output().line(f"the signature is valid{age}")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name and colon):
        raise InvalidValue(f"'{text}' is not a header; write 'NAME: VALUE'")
    return name.strip(), value.strip()


def _abilities(each: OpenablePlatform) -> str:
    can = each.can
    words = {
        "orders": can.orders,
        "binds orders to an EID": can.binds,
        f"finds orders by {can.finds}": can.finds != "nothing",
        "repeats": can.repeats,
        f"activates lines {_ACTIVATES.get(can.activates, '')}": can.activates in _ACTIVATES,
        "releases": can.releases,
        "lists products": each.declaration.calls.products is not None,
        "lists lines by tag": each.declaration.calls.lines_by_tag is not None,
        f"lines: {'/'.join(action for action in LineAction if action in can.lines)}": can.lines,
    }
    return ", ".join(word for word, holds in words.items() if holds)


def _answers(found: OpenablePlatform, opened: OpenPlatform) -> str:
    """Return the result for a platform whose orders cannot be searched; count its products if possible."""
    if found.declaration.calls.products is None:
        return f"nothing was asked: the file of the platform '{found.name}' has no call that only reads"
    listed = opened.products(deadline=Deadline.after(PATIENCE))
    return (
        f"the platform '{found.name}' answers and lists {len(listed)} products; lpad cannot search its"
        " orders, so it is unknown whether the platform keeps one for this card"
    )


def _told(reservation: Reservation) -> str:
    code = "activation code known" if reservation.ticket is not None else "no activation code yet"
    unknown = f", unknown states: {', '.join(reservation.unknown)}" if reservation.unknown else ""
    iccid = f", ICCID {reservation.iccid}" if reservation.iccid else ""
    return f"{reservation.id}: profile {reservation.profile}, line {reservation.line}{iccid}, {code}{unknown}"
