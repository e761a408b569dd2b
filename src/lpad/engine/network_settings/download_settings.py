"""A download's network settings: the password is one of its secrets, the others are parameters."""

from __future__ import annotations

import msgspec

from lpad.base.errors import LpadError
from lpad.engine.change.params import NetworkParams
from lpad.network.network_settings import NetworkSettings

PASSWORD = "network_password"  # noqa: S105 - the name of a secret
"""The name of the secret with the password."""


def noted(settings: NetworkSettings) -> tuple[NetworkParams, str]:
    """Return the settings without the password, and the password."""
    shown = msgspec.convert(settings, NetworkParams, from_attributes=True)
    return msgspec.structs.replace(shown, password_set=bool(settings.password)), settings.password


def read_back(shown: NetworkParams | None, password: str | None) -> NetworkSettings | None:
    """Join the two parts that `noted` returned; None if there are none, or damage has made them invalid."""
    if shown is None:
        return None
    values = msgspec.structs.asdict(shown)
    values.pop("password_set")
    try:
        return NetworkSettings(**values, password=password or "")
    except LpadError:
        return None
