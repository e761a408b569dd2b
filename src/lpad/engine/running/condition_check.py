"""A check of a condition: one table gives the source for each kind, for guards and failover alike.

The caller passes `eyes`, one function for each available source. A condition whose kind is not in the table,
or whose source is not available, is not evaluated, and does not count as met.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import ServerError
from lpad.base.frozen import Frozen
from lpad.base.guard_condition import Condition, ConditionKind
from lpad.network.connection_layer_names import Layer
from lpad.remote.reachability import REACHABILITY_CHECKS, reach

if TYPE_CHECKING:
    from collections.abc import Iterable


class Source(enum.StrEnum):
    """The sources that can evaluate a condition, in the order in which a guard uses them."""

    MODEM = "modem"
    CONNECTION = "connection"  # the applier, which knows the connection
    NETWORK = "network"  # after the modem, because no host can be reached before the modem is registered
    CALLER = "caller"  # a local program


SOURCES: Mapping[ConditionKind, Source] = {
    ConditionKind.REGISTERED: Source.MODEM,
    ConditionKind.BEARER: Source.CONNECTION,
    ConditionKind.ADDRESS: Source.CONNECTION,
    **dict.fromkeys(REACHABILITY_CHECKS, Source.NETWORK),
    ConditionKind.CONFIRM: Source.CALLER,
}
"""The source that evaluates each kind of condition."""

LAYERS: Mapping[ConditionKind, Layer] = {
    ConditionKind.REGISTERED: Layer.REGISTERED,
    ConditionKind.BEARER: Layer.BEARER,
    ConditionKind.ADDRESS: Layer.ADDRESS,
    **dict.fromkeys(REACHABILITY_CHECKS, Layer.PATH),
}
"""The layer that each kind of condition checks; a confirmation checks no layer."""

NOT_EVALUATED = "this version of lpad cannot evaluate the condition"


class Look(Frozen, kw_only=True):
    """The result of one check: `seen` in words; `met` is None if the condition was not evaluated."""

    met: bool | None
    seen: str


Eyes = Mapping[Source, Callable[[Condition, Deadline], Look]]


def look(condition: Condition, eyes: Eyes, *, deadline: Deadline) -> Look:
    """Evaluate a condition once.

    Raises:
        CardError: raised by one of `eyes`.
    """
    source = SOURCES.get(condition.kind)
    eye = eyes.get(source) if source is not None else None
    return Look(met=None, seen=NOT_EVALUATED) if eye is None else eye(condition, deadline)


def ask_network(condition: Condition, deadline: Deadline) -> Look:
    """Carry out a reachability check once."""
    try:
        return Look(met=True, seen=reach(condition, deadline=deadline))
    except ServerError as error:
        return Look(met=False, seen=error.sentence)


def not_evaluable(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Return the conditions that no source of this version of lpad can evaluate."""
    return tuple(each for each in conditions if each.kind not in SOURCES)
