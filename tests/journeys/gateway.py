"""The gateway of the journeys, which lpad also provides to programs that are tested against it."""

from lpad.testing.daemon_process import PATIENCE
from lpad.testing.simulated_gateway import CARD, Gateway

__all__ = ["CARD", "PATIENCE", "Gateway"]
