"""Convert the install policies in the settings to the engine's form: each card's, and the general one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from lpad.engine.policy.install_policies_by_card import Policies
from lpad.lpa.owner_install_policy import Asking, InstallPolicy

if TYPE_CHECKING:
    from lpad.settings import Settings


def install_policies(settings: Settings) -> Policies:
    """Return the general policy, and one for each card, whose own settings override the general ones."""
    general = _given(settings.policy)
    return Policies(
        _policy(general),
        {name: _policy(general | _given(section.policy)) for name, section in settings.euiccs.items()},
    )


def _given(section: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(section).items() if value is not None}


def _policy(values: dict[str, Any]) -> InstallPolicy:
    lists = {key: tuple(value) for key, value in values.items() if key != "confirm"}
    return InstallPolicy(**lists, confirm=Asking(values["confirm"]))
