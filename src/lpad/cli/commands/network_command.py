"""lpactl network: the APN and related settings of one profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lpad.cli.commands.group import cli
from lpad.cli.commands.network_options import network_options, network_settings
from lpad.cli.commands.session import command

if TYPE_CHECKING:
    from lpad.cli.commands.session import Session
    from lpad.client import Network

_AN_ICCID = range(18, 21)
"""Digits of an ICCID that is used unchecked, because its profile may still be to come."""


@cli.group("network")
def network() -> None:
    """Show or set a profile's APN and related settings."""


@command(network, "show")
@click.argument("profile")
def show(session: Session, profile: str) -> None:
    """Show the network settings that apply to PROFILE, where they come from, and why."""
    _print(session, session.client.network(session.euicc(), _iccid(session, profile)))


@command(network, "set")
@click.argument("profile")
@network_options
def set_(session: Session, profile: str, **options: Any) -> None:
    """Set the network settings of PROFILE; they apply from its next enable on.

    PROFILE may be an ICCID that is not on the card yet. Options that are not given get their defaults; only
    a stored password stays.
    """
    settings = network_settings(options)
    if settings is None:
        raise click.UsageError("say what to set, such as --apn iot.example; --apn '' is the default APN")
    _print(session, session.client.set_network(session.euicc(), _iccid(session, profile), **settings))


@command(network, "clear")
@click.argument("profile")
def clear(session: Session, profile: str) -> None:
    """Clear the settings of PROFILE and show those that then apply."""
    _print(session, session.client.clear_network(session.euicc(), _iccid(session, profile)))


def _iccid(session: Session, profile: str) -> str:
    """Return the chosen ICCID; a complete one may belong to a profile that is not on the card yet."""
    digits = profile.replace(" ", "").rstrip("Ff")
    if len(digits) in _AN_ICCID and digits.isalnum():
        return digits
    return session.iccid(profile)


def _print(session: Session, network: Network) -> None:
    if session.output.as_json:
        session.output.json(network)
        return
    initial = {
        "same": "the same APN",
        "apn": f"APN {network.initial_bearer_apn or '(the default)'}",
        "leave": "what the modem has stored",
    }
    session.output.facts(
        [
            ("profile", network.iccid),
            ("given by", f"{network.given_by}: {network.why}"),
            ("APN", network.apn or "(the network's default)"),
            ("user name", network.username or None),
            ("password", "set" if network.password_set else None),
            ("authentication", network.authentication),
            ("IP", network.ip),
            ("roaming", "allowed" if network.roaming else "not allowed"),
            ("initial bearer", initial.get(network.initial_bearer, network.initial_bearer)),
            ("MTU", network.mtu),
        ]
    )
