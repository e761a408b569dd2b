"""How a server can be reached, left in its folder for whoever adds orders or wants to connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lpad.base.errors import NotFound
from lpad.simulator.smdp.store.orders import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "server.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFile:
    """A server's address as it stands in activation codes, and its OID."""

    address: str
    oid: str

    def write(self, folder: Path) -> None:
        """Leave this in `folder`."""
        write_whole(folder / _NAME, msgspec.json.encode(self))

    @classmethod
    def read(cls, folder: Path) -> AddressFile:
        """Return what the server that keeps its things in `folder` said when it last started.

        Raises:
            NotFound: none ever did.
        """
        path = folder / _NAME
        if not path.exists():
            raise NotFound(f"no server has run in {folder}; start 'lpad sim smdp' there first")
        return msgspec.json.decode(path.read_bytes(), type=cls)
