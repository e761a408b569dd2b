"""The journal: requested changes and pending notifications, on disk before lpad acts on them."""

from lpad.engine.journal.changes import Private, Retention
from lpad.engine.journal.file.schema import SCHEMA_VERSION
from lpad.engine.journal.journal import Journal
from lpad.engine.journal.notifications import StoredNotification

__all__ = ["SCHEMA_VERSION", "Journal", "Private", "Retention", "StoredNotification"]
