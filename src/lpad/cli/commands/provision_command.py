"""lpactl provision: a profile from an operator's platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import command, no_wait
from lpad.cli.session.guard_options import asked_guard, guarded, limit
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import safe
from lpad.client import ApiError, Wish
from lpad.client.decoding import decoded

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session
    from lpad.client import Change

_STAYS = "its order, if there is one, stays there"
_CANCELLING = 150.0
"""Seconds that a cancelled change gets to release its order."""


@command(cli, "provision")
@click.option(
    "--platform", metavar="NAME", help="Name of the platform in the settings.  [default: the only one]"
)
@click.option("--product", metavar="ID", help="Product to order.  [default: as in the settings]")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the platform's calls; replaces the one in the settings. Repeatable.",
)
@click.option("--no-enable", is_flag=True, help="Install the profile without enabling it.")
@click.option("--confirm", is_flag=True, help="Ask before the profile is installed.")
@guarded
@no_wait
def provision(
    session: Session,
    platform: str | None,
    product: str | None,
    options: tuple[str, ...],
    no_enable: bool,
    confirm: bool,
    guard: tuple[str, ...],
    within: float | None,
    no_guard: bool,
) -> None:
    """Find or order a profile at an operator's platform, then download and enable it.

    A card has one wish at a time, and repeating the command resumes it. lpad never orders twice for one wish
    without a person's answer. The platform may take hours; Ctrl-C leaves the change running.
    """
    if (guard or no_guard) and no_enable:
        raise click.UsageError("--guard applies only if the profile is enabled; omit --no-enable")
    change = session.client.provision(
        session.euicc(),
        platform=platform,
        product=product,
        options=dict(map(_option, options)),
        enable=not no_enable,
        confirm=confirm,
        guard=asked_guard(guard, no_guard=no_guard),
        **limit(guard, within),
    )
    _tell_other_platform(session, change, platform)
    change = session.finish(change)
    if change.result is not None and not session.output.as_json:
        state = "installed and enabled" if change.result.get("enabled") else "installed"
        session.output.line(safe(f"{change.result['iccid']}  {change.result.get('platform', '')}  {state}"))


@command(cli, "close-wish")
@click.option("--yes", is_flag=True, help="Close without asking.")
def close_wish(session: Session, yes: bool) -> None:
    """Close the card's wish for a profile, even if its order has already been paid.

    The change that works on the wish is cancelled, which gives the order back if the platform accepts this.
    Otherwise the order stays at the platform: ask the operator whether it is charged. A later request uses
    that order if the platform still lists it. lpad itself requests a profile again if 'provisioning.on_empty'
    names the platform.
    """
    name = session.euicc()
    wish = session.client.euicc(name).wish
    if wish is not None:
        question = f"Close the wish at the platform '{wish.platform}' ({_orders(wish.orders)})?"
        session.confirm(safe(f"{question} The order stays unless the platform takes it back."), yes=yes)
    try:
        _close(session, name)
    except ApiError as error:
        if wish is None or error.details.get("change") is None:
            raise
        session.client.cancel(error.details["change"], wait=_CANCELLING)
        if session.client.euicc(name).wish is not None:
            _close(session, name)
        elif session.output.as_json:
            session.show_change(session.client.change(error.details["change"]))
        else:
            _say_closed(session, wish, "lpad has left no order there")


def _close(session: Session, name: str) -> None:
    answer = session.client.request("DELETE", "/v1/euiccs/{}/wish", name)
    if session.output.as_json:
        session.output.answer(answer)
    else:
        _say_closed(session, decoded(answer, Wish), _STAYS)


def _say_closed(session: Session, wish: Wish, remainder: str) -> None:
    session.output.line(safe(f"the wish at the platform '{wish.platform}' is closed; {remainder}"))


def _orders(number: int) -> str:
    return f"{number} order{'' if number == 1 else 's'}"


def _tell_other_platform(session: Session, change: Change, platform: str | None) -> None:
    """Print a note if the request resumes the card's open wish at a platform other than the requested one."""
    if platform is None or session.output.as_json:
        return
    wish = session.client.euicc(change.euicc).wish
    begun = wish is not None and (wish.orders or wish.profile is not None)
    serves = wish.platform if wish is not None and begun else change.params.get("platform", platform)
    if serves != platform:
        session.output.note(
            safe(
                f"this card's wish is open at the platform '{serves}', and change {change.id} resumes it;"
                f" '{platform}' is not asked before that wish has ended"
            )
        )


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"'{text}' is not an option; write NAME=VALUE")
    return name, value
