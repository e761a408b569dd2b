"""From settings to operators' platforms: descriptions, credentials and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.provisioning.credentials import read_credentials
from lpad.remote.https.request_limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.provisioning.http.httpx_transport import Exchange
    from lpad.provisioning.openable_platform import OpenablePlatform
    from lpad.remote.https.route import Route
    from lpad.settings import SettingsFile
    from lpad.settings.sections.platforms import PlatformSection


def operator_platforms(
    file: SettingsFile,
    *,
    route: Route,
    tokens: Path | None = None,
    observe: Callable[[Exchange], None] | None = None,
) -> list[OpenablePlatform]:
    """Return the platforms that the settings name; no connection is made.

    Raises:
        InvalidSettings: a description, a credential or a certificate cannot be read, or lpad was installed
            without the extra for platforms.
    """
    if not file.settings.platforms:
        return []
    try:
        # This module loads an HTTP client, which a gateway without platforms does not need.
        from lpad.provisioning import openable_platform  # noqa: PLC0415 - only with a platform
    except ImportError as error:
        raise InvalidSettings(
            f"the settings list platforms, but the library {error.name} for them is missing: install the"
            " extra 'platforms'"
        ) from error
    deadlines = file.settings.deadlines
    return [
        openable_platform.OpenablePlatform(
            openable_platform.PlatformSettings(
                name=name,
                like=file.resolve(section.file) if section.file is not None else str(section.like),
                base=section.base,
                credentials=read_credentials(section.credentials, resolve=file.resolve),
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


def _client(file: SettingsFile, section: PlatformSection) -> tuple[Path, Path | None] | None:
    if section.client_certificate is None:
        return None
    key = None if section.client_key is None else file.resolve(section.client_key)
    return file.resolve(section.client_certificate), key
