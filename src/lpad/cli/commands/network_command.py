"""lpactl network: the APN and related settings of one profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lpad.cli.session.command_session import command
from lpad.cli.session.lpactl_command_group import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from lpad.cli.session.command_session import Session
    from lpad.client import Network

    _F = TypeVar("_F", bound=Callable[..., Any])

_AN_ICCID = range(18, 21)
"""The numbers of digits of an ICCID that is used unchecked: its profile may not be on the card yet."""


_OPTIONS = (
    click.option("--apn", metavar="APN", help="Access point name; '' is the network's default."),
    click.option("--username", metavar="NAME", help="User name for --authentication pap or chap."),
    click.option(
        "--password-file",
        type=click.File(),
        help=(
            "Read the password from a file; - is standard input. Without this option, lpad keeps a stored"
            " password."
        ),
    ),
    click.option(
        "--authentication",
        type=click.Choice(["none", "pap", "chap"]),
        help="How the network checks user name and password.",
    ),
    click.option(
        "--ip", type=click.Choice(["ipv4", "ipv6", "ipv4v6"]), help="IP versions to request; default: ipv4v6."
    ),
    click.option("--roaming/--no-roaming", default=None, help="Allow or forbid data while roaming."),
    click.option(
        "--initial-bearer",
        type=click.Choice(["same", "apn", "leave"]),
        help=(
            "Whether the modem attaches with the same APN, with --initial-bearer-apn, or with the APN that it"
            " has stored."
        ),
    ),
    click.option("--initial-bearer-apn", metavar="APN", help="APN with which the modem attaches."),
    click.option("--mtu", type=int, metavar="BYTES", help="Largest packet, 576 to 9000."),
)


def network_options(function: _F) -> _F:
    """Add the options for network settings to a command, whose function gets them as keyword arguments."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


def network_settings(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the settings in the given options, by the API's names; None if no option was given.

    Args:
        options: the values of `network_options`, None for those that were not given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    file = given.pop("password_file", None)
    if file is not None:
        given["password"] = file.readline().rstrip("\r\n")
    return given or None


@cli.group("network")
def network() -> None:
    """Show or set a profile's APN and related settings."""


@command(network, "show")
@click.argument("profile")
def show(session: Session, profile: str) -> None:
    """Show the network settings that apply to PROFILE, their source, and the reason."""
    name = session.euicc()
    _print(session, name, session.client.network(name, _iccid(session, profile)))


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
        raise click.UsageError(
            "give at least one setting, such as --apn iot.example; --apn '' is the default APN"
        )
    name = session.euicc()
    _print(session, name, session.client.set_network(name, _iccid(session, profile), **settings))


@command(network, "clear")
@click.argument("profile")
def clear(session: Session, profile: str) -> None:
    """Clear the settings of PROFILE and show those that then apply."""
    name = session.euicc()
    _print(session, name, session.client.clear_network(name, _iccid(session, profile)))


def _iccid(session: Session, profile: str) -> str:
    """Return the chosen ICCID; a complete ICCID may belong to a profile that is not on the card yet."""
    digits = profile.replace(" ", "").rstrip("Ff")
    if len(digits) in _AN_ICCID and digits.isalnum():
        return digits
    return session.iccid(profile)


def _print(session: Session, euicc: str, network: Network) -> None:
    if session.output.as_json:
        session.show_answer("GET", "/v1/euiccs/{}/profiles/{}/network", euicc, network.iccid)
        return
    initial = {
        "same": "the same APN",
        "apn": f"APN {network.initial_bearer_apn or '(the default)'}",
        "leave": "the APN that the modem has stored",
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
