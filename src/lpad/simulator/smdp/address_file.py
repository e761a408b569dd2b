"""A server's address, stored in its folder for programs that add orders or connect to the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import NotFound
from lpad.simulator.smdp.store.atomic_writing import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "server.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFile:
    """A server's address in the form for activation codes, and its OID."""

    address: str
    oid: str

    def write(self, folder: Path) -> None:
        """Write the file into `folder`."""
        write_whole(folder / _NAME, msgspec.json.encode(self))

    @classmethod
    def read(cls, folder: Path) -> AddressFile:
        """Return the address and the OID that the server of `folder` wrote at its last start.

        Raises:
            NotFound: no server ever started there.
        """
        path = folder / _NAME
        if not path.exists():
            raise NotFound(f"no server has run in {folder}; start 'lpad sim smdp' there first")
        return msgspec.json.decode(path.read_bytes(), type=cls)
