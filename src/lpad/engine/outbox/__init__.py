"""Delivery of notifications: from the card to the journal, to their server, and only then off the card."""

from lpad.engine.outbox.delivery import BACKOFF
from lpad.engine.outbox.outbox import Delivery, Outbox
from lpad.engine.outbox.uncopied_notifications import UncopiedNotification

__all__ = ["BACKOFF", "Delivery", "Outbox", "UncopiedNotification"]
