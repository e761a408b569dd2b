"""A download's network settings: the password among its secrets, the rest among its parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import LpadError
from lpad.network.settings import NetworkSettings

if TYPE_CHECKING:
    from lpad.engine.change.change import Json

PASSWORD = "network_password"  # noqa: S105 - the name of a secret
"""The name under which a change keeps the password among its secrets."""


def noted(settings: NetworkSettings) -> tuple[dict[str, Json], str]:
    """Return settings as everybody may see them, and the password."""
    shown = asdict(settings)
    password = str(shown.pop("password"))
    return {**msgspec.to_builtins(shown), "password_set": bool(password)}, password


def read_back(shown: Json, password: str | None) -> NetworkSettings | None:
    """Return the settings that `noted` has noted; None if there are none, or a damaged disk changed them."""
    if not isinstance(shown, dict):
        return None
    try:
        values = {**shown, "password": password or ""}
        values.pop("password_set", None)
        return msgspec.convert(values, NetworkSettings)
    except (LpadError, msgspec.ValidationError):
        return None
