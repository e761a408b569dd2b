"""The Python client of lpad's API; `client.py` says how it is used."""

from lpad.client.client import DEFAULT_SOCKET, LONGEST_WAIT, Client
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
    Ports,
    Profile,
    ProfileList,
    System,
    UnreadableProfile,
)

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
    "Network",
    "Notification",
    "Outbox",
    "Ports",
    "Profile",
    "ProfileList",
    "System",
    "UnreadableProfile",
]
