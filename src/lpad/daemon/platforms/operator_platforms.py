"""Convert the settings to operators' platforms: descriptions, credentials and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.provisioning.credentials import read_credentials
from lpad.remote.https.request_limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.provisioning.declared.platform_opening import OpenablePlatform
    from lpad.provisioning.http.httpx_transport import Exchange
    from lpad.remote.https.proxy_and_interface import Route
    from lpad.settings import SettingsFile
    from lpad.settings.sections.platforms import PlatformSection


def operator_platforms(
    file: SettingsFile,
    *,
    route: Route,
    tokens: Path | None = None,
    observe: Callable[[Exchange], None] | None = None,
    secrets: Callable[[PlatformSection], dict[str, str]] | None = None,
) -> list[OpenablePlatform]:
    """Return the platforms that the settings name; no connection is made.

    Args:
        file: the settings.
        route: how servers are reached.
        tokens: the folder that keeps tokens across restarts; None: tokens are not kept.
        observe: called with each exchange with a platform.
        secrets: returns a platform's credentials; None: they are read from their files.

    Raises:
        InvalidSettings: a description, a credential or a certificate cannot be read, or lpad was installed
            without the extra for platforms.
    """
    if not file.settings.platforms:
        return []
    try:
        # This module loads an HTTP client, which a gateway without platforms does not need.
        from lpad.provisioning.declared import platform_opening  # noqa: PLC0415 - only with a platform
    except ImportError as error:
        raise InvalidSettings(
            f"the settings list platforms, but the library {error.name} for them is missing: install the"
            " extra 'platforms'"
        ) from error
    deadlines = file.settings.deadlines
    read = secrets or (lambda section: read_credentials(section.credentials, resolve=file.resolve))
    return [
        platform_opening.OpenablePlatform(
            platform_opening.PlatformSettings(
                name=name,
                like=file.resolve(section.file) if section.file is not None else str(section.like),
                base=section.base,
                credentials=read(section),
                options=section.options,
                product=section.product,
                ca_files=tuple(map(file.resolve, section.ca_files)),
                client=_client(file, section),
            ),
            route=route,
            limits=Limits(silence=deadlines.silence, request=deadlines.request),
            tokens=tokens,
            observe=observe,
        )
        for name, section in file.settings.platforms.items()
    ]


def check_platforms(file: SettingsFile, *, route: Route) -> list[str]:
    """Check the platforms of the settings; no connection is made.

    Returns:
        Sentences about credentials that cannot be read now; systemd may load them for the daemon.

    Raises:
        InvalidSettings: a description or a certificate cannot be read, or a needed credential is not listed.
    """
    notes = []
    for name, section in file.settings.platforms.items():
        try:
            read_credentials(section.credentials, resolve=file.resolve)
        except InvalidSettings as error:
            notes.append(f"platform '{name}': {error.sentence}")
    operator_platforms(file, route=route, secrets=lambda section: dict.fromkeys(section.credentials, ""))
    return notes


def _client(file: SettingsFile, section: PlatformSection) -> tuple[Path, Path | None] | None:
    if section.client_certificate is None:
        return None
    key = None if section.client_key is None else file.resolve(section.client_key)
    return file.resolve(section.client_certificate), key
