"""mbim-proxy's own service: the device that a client wants to use (libmbim's private protocol)."""

from __future__ import annotations

from lpad.codec.mbim.information_buffer import U32, Information, Text


class ProxyConfiguration(Information):
    """Names the device for the proxy, which opens it once for all clients."""

    path: Text
    """The device, such as /dev/cdc-wdm0."""
    timeout: U32
    """Seconds that the proxy may take to open the device."""
