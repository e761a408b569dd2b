"""The options of a profile's network settings, for `network set` and `download`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    _F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--apn", metavar="APN", help="Access point name; '' is the network's default."),
    click.option("--username", metavar="NAME", help="User name for --authentication pap or chap."),
    click.option(
        "--password-file",
        type=click.File(),
        help="Read the password from a file; - is standard input. Without this option, a stored one stays.",
    ),
    click.option(
        "--authentication",
        type=click.Choice(["none", "pap", "chap"]),
        help="How the network checks user name and password.",
    ),
    click.option(
        "--ip", type=click.Choice(["ipv4", "ipv6", "ipv4v6"]), help="Addresses to ask for; default: ipv4v6."
    ),
    click.option("--roaming/--no-roaming", default=None, help="Whether data may flow while roaming."),
    click.option(
        "--initial-bearer",
        type=click.Choice(["same", "apn", "leave"]),
        help="APN to attach with: the same, --initial-bearer-apn, or what the modem has stored.",
    ),
    click.option("--initial-bearer-apn", metavar="APN", help="APN to attach with."),
    click.option("--mtu", type=int, metavar="BYTES", help="Largest packet, 576 to 9000."),
)


def network_options(function: _F) -> _F:
    """Add the options of the network settings to a command, whose function gets them as keywords."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


def network_settings(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the settings from the options, by the API's names; None if there are none.

    Args:
        options: the values of `network_options`, None for those that were not given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    file = given.pop("password_file", None)
    if file is not None:
        given["password"] = file.readline().rstrip("\r\n")
    return given or None
