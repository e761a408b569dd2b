"""The gateway of the journeys: the one that lpad hands to programs that are tested against it."""

from lpad.testing.daemon_process import PATIENCE
from lpad.testing.simulated_gateway import CARD, Gateway

__all__ = ["CARD", "PATIENCE", "Gateway"]
