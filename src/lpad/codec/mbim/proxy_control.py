"""mbim-proxy's own service: the device that a client wants to use (libmbim's private protocol)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lpad.codec.mbim.information_buffer import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfiguration:
    """Names the device for the proxy, which opens it once for all clients."""

    FIELDS: ClassVar[tuple[tuple[str, Kind], ...]] = (("path", Kind.TEXT), ("timeout", Kind.U32))
    path: str
    """The device, such as /dev/cdc-wdm0."""
    timeout: int
    """Seconds that the proxy may take to open it."""
