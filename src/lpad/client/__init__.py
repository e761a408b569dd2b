"""The Python client of lpad's API; `client.py` shows how to use it."""

from lpad.client.client import DEFAULT_SOCKET, LONGEST_WAIT, Client
from lpad.client.listeners import Listener, Listeners
from lpad.client.views import (
    ApiError,
    Change,
    DaemonUnreachable,
    Euicc,
    Event,
    Failover,
    Guard,
    Network,
    Notification,
    Outbox,
    Platform,
    Ports,
    Product,
    Profile,
    ProfileList,
    System,
    UnreadableProfile,
    Wish,
)
from lpad.client.webhooks import Webhook, Webhooks, WebhookTest

__all__ = [
    "DEFAULT_SOCKET",
    "LONGEST_WAIT",
    "ApiError",
    "Change",
    "Client",
    "DaemonUnreachable",
    "Euicc",
    "Event",
    "Failover",
    "Guard",
    "Listener",
    "Listeners",
    "Network",
    "Notification",
    "Outbox",
    "Platform",
    "Ports",
    "Product",
    "Profile",
    "ProfileList",
    "System",
    "UnreadableProfile",
    "Webhook",
    "WebhookTest",
    "Webhooks",
    "Wish",
]
