"""The states of the layers of a card's data connection, as they were last seen.

Every check of a layer reports its result to `LayerStates`, and each change of a state is published once. lpad
makes no check only to learn a state, so a state is as old as the last check. After a restart of lpad, all
states are unknown.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.network.connection_layer_names import Layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.steady_clock import Moment


class SeenLayer(Frozen, kw_only=True):
    """A layer as it was last seen.

    `told` is the observation in words, or empty. `seen_at` is on the steady clock.
    """

    layer: Layer
    up: bool
    iccid: str | None
    cause: str | None
    told: str
    seen_at: float


class LayerStates:
    """The states of one card's layers; usable from every thread."""

    def __init__(self, euicc: str, hub: Hub, *, now: Callable[[], Moment]) -> None:
        """Create the states, all unknown.

        Args:
            euicc: the card's name.
            hub: gets the event `layer` at each change of a state.
            now: reads the clocks.
        """
        self._euicc = euicc
        self._hub = hub
        self._now = now
        self._lock = threading.Lock()
        self._states: dict[Layer, SeenLayer] = {}

    @property
    def seen(self) -> tuple[SeenLayer, ...]:
        """The observed layers, the lowest first, each as it was last seen."""
        with self._lock:
            return tuple(self._states[each] for each in Layer if each in self._states)

    def saw(
        self, layer: Layer, *, up: bool, iccid: str | None, cause: str | None = None, told: str = ""
    ) -> None:
        """Record an observed state; publish it if it differs from the last or belongs to another profile.

        Args:
            layer: the layer.
            up: whether the layer works.
            iccid: the profile that was enabled; None: unknown.
            cause: the network's reason, if the layer does not work.
            told: the observation in words.
        """
        cause = None if up else cause
        with self._lock:  # The lock is also held while the state is published, so that the order is kept.
            last = self._states.get(layer)
            self._states[layer] = SeenLayer(
                layer=layer, up=up, iccid=iccid, cause=cause, told=told, seen_at=self._now().steady
            )
            if last is not None and (last.up, last.iccid) == (up, iccid):
                return
            self._hub.publish(
                "layer",
                {
                    "euicc": self._euicc,
                    "layer": layer.value,
                    "up": up,
                    "iccid": iccid,
                    "cause": cause,
                },
                euicc=self._euicc,
            )
