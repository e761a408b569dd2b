"""The owner's rules for a card's data connection: its applier and its settings."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.network.no_applier import NO_APPLIER
from lpad.network.owner_hooks import NO_HOOKS, Hooks

if TYPE_CHECKING:
    from lpad.network.applier_interface import Applier
    from lpad.network.network_settings_choice import Pattern

STEP_LIMIT = 30.0
"""The default number of seconds for one step of the applier, or one run of the hooks."""


class OnFailure(enum.StrEnum):
    """Whether an ordinary enable stops or continues if an applier or a hook fails before the switch."""

    STOP = "stop"
    IGNORE = "ignore"


class NetworkPolicy(Frozen, kw_only=True):
    """The rules for one card's data connection."""

    applier: Applier = NO_APPLIER
    hooks: Hooks = NO_HOOKS
    patterns: tuple[Pattern, ...] = ()
    on_failure: OnFailure = OnFailure.STOP
    limit: float = STEP_LIMIT
    """Seconds for one step of the applier, or one run of the hooks."""


NO_NETWORK_POLICY = NetworkPolicy()
