"""The answer with a simulated MBIM function's services (MBIM 1.0, 10.5.29); ModemManager's first query."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID


def device_services(commands: Mapping[UUID, Sequence[int]]) -> bytes:
    """Return the information buffer of the answer to MBIM_CID_DEVICE_SERVICES.

    Args:
        commands: by service, the numbers of its commands.
    """
    parts = [
        service.bytes + struct.pack(f"<{3 + len(cids)}I", 0, 0, len(cids), *cids)
        for service, cids in commands.items()
    ]
    offset = 8 + 8 * len(parts)
    pointers = b""
    for part in parts:
        pointers += struct.pack("<2I", offset, len(part))
        offset += len(part)
    return struct.pack("<2I", len(parts), 0) + pointers + b"".join(parts)
