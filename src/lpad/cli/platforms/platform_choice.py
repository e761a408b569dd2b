"""The platform to try: one of the settings, or a description with the additions of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpad.base.errors import InvalidValue, NotFound
from lpad.daemon.platforms.operator_platforms import operator_platforms
from lpad.daemon.remote_servers import load_route
from lpad.provisioning.credentials import read_credentials
from lpad.provisioning.declared.platform_file import shipped
from lpad.provisioning.declared.platform_opening import OpenablePlatform, PlatformSettings
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lpad.provisioning.http.httpx_transport import Exchange

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/lpad/lpad.yaml"),
    show_default=True,
    help="Settings file.",
)


def from_settings(config: Path, observe: Callable[[Exchange], None]) -> list[OpenablePlatform]:
    """Return the platforms of the settings; `observe` is called with each exchange with a platform."""
    file = SettingsFile.read(config)
    return operator_platforms(file, route=load_route(file), observe=observe)


def tried_platform(
    target: str,
    *,
    config: Path,
    credentials: Iterable[str],
    options: Iterable[str],
    base: str | None,
    ca_files: Iterable[Path],
    observe: Callable[[Exchange], None],
) -> OpenablePlatform:
    """Return the platform to try.

    Args:
        target: the name of a platform in the settings, or the path of the description that it uses; otherwise
            the path of a description, or the name of a shipped one.
        config: the settings file; for a description it may be missing.
        credentials: NAME=FILE each, for a description.
        options: NAME=VALUE each, for a description.
        base: the platform's address, for a description; None: the address in the description.
        ca_files: CA certificates instead of the system's, for a description.
        observe: called with each exchange with the platform.

    Raises:
        NotFound: there is no such platform, file or description.
        InvalidSettings, InvalidValue: a file or an option is wrong.
    """
    known = from_settings(config, observe) if config.exists() else []
    for each in known:
        if target == each.name or each.settings.like == Path(target).absolute():
            return each
    path = Path(target)
    if not path.is_file() and target not in shipped():
        names = ", ".join(each.name for each in known) or "none"
        raise NotFound(
            f"'{target}' is neither a file, nor a shipped description, nor a platform in {config}, which has"
            f" {names}"
        )
    route = load_route(SettingsFile.read(config)) if config.exists() else Route(HostOverrides.parse({}))
    return OpenablePlatform(
        PlatformSettings(
            name=path.stem,
            like=path.absolute() if path.is_file() else target,
            base=base,
            credentials=read_credentials(dict(map(_pair, credentials)), resolve=Path),
            options=dict(map(_pair, options)),
            ca_files=tuple(ca_files),
        ),
        route=route,
        observe=observe,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InvalidValue(
            f"'{text}' is not complete; write NAME=FILE for a credential, NAME=VALUE for an option"
        )
    return name, value


def named(config: Path, name: str) -> OpenablePlatform:
    """Return a platform of the settings.

    Raises:
        NotFound: the settings do not name the platform.
        InvalidSettings: the settings cannot be used.
    """
    found = from_settings(config, lambda _: None)
    for each in found:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in found) or "none"
    raise NotFound(f"{config} names no platform '{name}'; it names {names}")
