"""The states of the layers of a card's data connection, as they were last seen.

Each check of a layer is reported here, and each change of a state is published once. No check is made
for this alone, so a state is as old as the last check.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.engine.change.event_hub import Hub
    from lpad.network.connection_layer import Layer


class LayerStates:
    """The states of one card's layers; usable from every thread."""

    def __init__(self, euicc: str, hub: Hub) -> None:
        """Begin with unknown states.

        Args:
            euicc: the card's name.
            hub: gets the event `layer` at each change of a state.
        """
        self._euicc = euicc
        self._hub = hub
        self._lock = threading.Lock()
        self._states: dict[Layer, tuple[bool, str | None]] = {}

    def saw(self, layer: Layer, *, up: bool, iccid: str | None, cause: str | None = None) -> None:
        """Record an observed state; it is new if it differs, or if it belongs to another profile.

        Args:
            layer: the layer.
            up: whether it works.
            iccid: the profile that was enabled; None: unknown.
            cause: the network's reason, if it does not work.
        """
        with self._lock:  # also while it is published, so that the order is kept
            if self._states.get(layer) == (up, iccid):
                return
            self._states[layer] = (up, iccid)
            self._hub.publish(
                "layer",
                {
                    "euicc": self._euicc,
                    "layer": layer.value,
                    "up": up,
                    "iccid": iccid,
                    "cause": None if up else cause,
                },
                euicc=self._euicc,
            )
