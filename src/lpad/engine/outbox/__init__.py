"""Notifications are copied from the card to the journal, sent to their server, and only then removed."""

from lpad.engine.outbox.delivery import BACKOFF
from lpad.engine.outbox.outbox import Delivery, Outbox
from lpad.engine.outbox.uncopied_notifications import UncopiedNotification

__all__ = ["BACKOFF", "Delivery", "Outbox", "UncopiedNotification"]
