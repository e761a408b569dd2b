"""lpad sim order and release: an operator's actions at the simulated SM-DP+."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from lpad.base.errors import InvalidValue, NotFound
from lpad.base.identifiers import Eid, Iccid
from lpad.base.untrusted_number import matched_number
from lpad.cli.simulated.folder_options import FOLDER
from lpad.cli.simulated.order_creation import add_order, register_events
from lpad.cli.terminal.output import Output
from lpad.simulator.profile_package.made_up_profile import DEFAULT_SIZE
from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.orders import Orders
from lpad.simulator.smdp.store.profile_metadata import IconType, Owner, ProfileClass, ProfilePolicyRule
from lpad.simulator.smdp.store.smds_events import new_event_id

LARGEST_ICON = 1024
_CLASSES = {each.name.lower(): each for each in ProfileClass}
_RULES = {each.name.lower().replace("_", "-"): each for each in ProfilePolicyRule}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PICTURES = {b"\x89PNG": IconType.PNG, b"\xff\xd8\xff": IconType.JPG}


class _Moment(click.ParamType[datetime]):
    """A time, given as a duration from now on, or as a date and time."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if match := re.fullmatch(r"([0-9]{1,6})([smhd])", value):
            return datetime.now(UTC) + timedelta(seconds=matched_number(match[1]) * _UNITS[match[2]])
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"'{value}' is neither a duration such as 90s, 10m, 2h or 7d nor a time such as"
                " 2030-01-31T12:00",
                param,
                ctx,
            )


class _OwnerType(click.ParamType[Owner]):
    """An operator's codes, MCC and MNC."""

    name = "MCCMNC"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Owner:
        try:
            return Owner(value)
        except InvalidValue as error:
            self.fail(error.sentence, param, ctx)


@dataclass(frozen=True, slots=True)
class _Icon:
    picture: bytes
    kind: IconType


class _IconFile(click.Path):
    """A profile's icon: a small PNG or JPEG file."""

    name = "FILE"

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        picture = Path(str(super().convert(value, param, ctx))).read_bytes()
        kind = next((kind for start, kind in _PICTURES.items() if picture.startswith(start)), None)
        if kind is None or len(picture) > LARGEST_ICON:
            self.fail(f"an icon must be a PNG or JPEG of at most {LARGEST_ICON} bytes", param, ctx)
        return _Icon(picture, kind)


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--upp",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with an unprotected profile package (DER).  [default: a made-up profile]",
)
@click.option("--iccid", help="ICCID of a made-up profile.  [default: a random one]")
@click.option("--name", default="Demo profile", show_default=True, help="Name of the profile.")
@click.option("--provider", default="Demo operator", show_default=True, help="Name of the operator.")
@click.option(
    "--size", type=int, default=DEFAULT_SIZE, show_default=True, help="Size of a made-up profile in bytes."
)
@click.option("--icon", type=_IconFile(), help=f"Icon: a PNG or JPEG file of at most {LARGEST_ICON} bytes.")
@click.option(
    "--class",
    "profile_class",
    type=click.Choice(tuple(_CLASSES)),
    default="operational",
    show_default=True,
    help="Class of the profile.",
)
@click.option("--owner", type=_OwnerType(), help="Network of the operator (MCC and MNC), such as 00101.")
@click.option(
    "--ppr",
    "rules",
    type=click.Choice(tuple(_RULES)),
    multiple=True,
    help="Profile policy rule: ppr1 forbids disabling, ppr2 forbids deleting; needs --owner. Repeatable.",
)
@click.option("--matching-id", help="Matching ID.  [default: a random one; empty with --eid]")
@click.option(
    "--eid",
    help="EID of the only card that may download; without --matching-id, it also identifies the order.",
)
@click.option(
    "--tac",
    "tacs",
    multiple=True,
    metavar="DIGITS",
    help="First 8 digits of the IMEI of the devices that may download.",
)
@click.option("--confirmation-code", help="Confirmation code that the user must enter.")
@click.option(
    "--confirmation-limit",
    type=click.IntRange(1),
    help="Number of wrong confirmation codes after which the order ends.  [default: 3]",
)
@click.option(
    "--attempts", type=click.IntRange(1), help="Number of attempts after which the order ends.  [default: 10]"
)
@click.option(
    "--expires", type=_Moment(), help="End of the order: 90s, 10m, 2h, 7d from now, or a date and time."
)
@click.option("--oid", "oid_in_code", is_flag=True, help="Include the server's OID in the activation code.")
@click.option("--not-released", is_flag=True, help="Hold the order back until `lpad sim release`.")
@click.option(
    "--discovery",
    "smds_folders",
    type=FOLDER,
    multiple=True,
    help="Folder of the SM-DS at which an event for --eid is registered. Given twice: the first one is an"
    " alternative SM-DS, and the second one the root that leads to it.",
)
@click.option("--address", help="Address of the server.  [default: the server that runs on FOLDER]")
def order(folder: Path, address: str | None, smds_folders: tuple[Path, ...], **given: Any) -> None:
    """Add an order to the SM-DP+ of FOLDER and print its activation code."""
    if smds_folders and given["eid"] is None:
        raise click.UsageError("--discovery needs --eid: an SM-DS lists events by the card's EID")
    if given["rules"] and given["owner"] is None:
        raise click.UsageError("--ppr needs --owner: a card checks whether this operator may have the rule")
    if given["confirmation_limit"] and given["confirmation_code"] is None:
        raise click.UsageError("--confirmation-limit needs --confirmation-code")
    if not all(re.fullmatch("[0-9]{8}", tac) for tac in given["tacs"]):
        raise click.UsageError("--tac must be the first 8 digits of an IMEI")
    announced = AddressFile.read(folder)
    icon: _Icon | None = given["icon"]
    details = {
        "confirmation_limit": given["confirmation_limit"],
        "attempt_limit": given["attempts"],
        "expires": given["expires"],
    }
    made = add_order(
        Orders(folder / "orders"),
        upp=given["upp"].read_bytes() if given["upp"] else None,
        iccid=Iccid.parse(given["iccid"]) if given["iccid"] else None,
        name=given["name"],
        provider=given["provider"],
        size=given["size"],
        matching_id=given["matching_id"] or (new_event_id() if smds_folders else None),
        eid=Eid.parse(given["eid"]) if given["eid"] else None,
        confirmation_code=given["confirmation_code"],
        metadata={
            "profile_class": _CLASSES[given["profile_class"]],
            "rules": tuple(_RULES[each] for each in given["rules"]),
            "owner": given["owner"],
            **({"icon": icon.picture, "icon_type": icon.kind} if icon else {}),
        },
        released=not given["not_released"],
        tacs=given["tacs"],
        oid_in_code=given["oid_in_code"],
        **{name: value for name, value in details.items() if value is not None},
    )
    if smds_folders:
        register_events(Orders(folder / "orders"), made, smds_folders, address or announced.address)
    Output().line(made.activation_code(address or announced.address, announced.oid))


@click.command()
@click.argument("folder", type=FOLDER)
@click.argument("matching_id")
def release(folder: Path, matching_id: str) -> None:
    """Release an order that was added with --not-released, by its matching ID."""
    orders = Orders(folder / "orders")
    held = [
        one for one in orders.all() if one.matching_id == matching_id and one.state is OrderState.CONFIRMED
    ]
    if not held:
        raise NotFound(f"no order with the matching ID {matching_id} is held back")
    orders.release(held[0].id)
    Output().line("released")
