"""The clients and data sessions that lpad holds at a modem's QMI port, noted on disk for the next process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Struct

from lpad.base.expendable_file import ExpendableFile

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_Number = Annotated[int, msgspec.Meta(ge=1, le=255)]


class HeldSession(Struct, frozen=True):
    """A data session for one version of IP, and the client that keeps the session open."""

    family: _Number
    client: _Number
    handle: Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)] | None = None
    """The handle that stops the session; None if the modem has not confirmed the start."""


class _Held(Struct, frozen=True):
    device: str
    clients: Annotated[tuple[tuple[_Number, _Number], ...], msgspec.Meta(max_length=255)] = ()
    channel: bool = False
    sessions: Annotated[tuple[HeldSession, ...], msgspec.Meta(max_length=255)] = ()


class HeldClients:
    """A small expendable file with each client, each data session, and whether a channel is open.

    A modem keeps a client until the client is given back or the modem is reset. After a reset, the number may
    belong to another program; but the kernel has recreated the device, so the note no longer counts. The
    note is not synced: after a loss of power the modem has forgotten its clients, too.

    A data session ends with its client. So lpad does not give back the clients of sessions, and the
    next process continues to use these clients.
    """

    def __init__(self, path: Path | None, *, port: str) -> None:
        """Keep the note in the file `path`; None: keep no note.

        Args:
            port: the device at which the clients are held.
        """
        self._file = ExpendableFile(path, _Held)
        self.lasts = path is not None
        """Whether a later process can read the note."""
        self._port = port
        self._clients: dict[int, int] = {}
        noted = self._file.read()
        self.left_over: tuple[tuple[int, int], ...] = ()
        """Service and number of the clients that an earlier process has left."""
        self.sessions: dict[int, HeldSession] = {}
        """The data sessions by version of IP, including those of an earlier process."""
        if noted is not None and noted.device == _device(port):
            self.left_over = noted.clients
            self.sessions = {each.family: each for each in noted.sessions}
        self.channel = noted is not None and noted.channel
        """Whether a channel is open, or was left open by an earlier process."""

    def keep(self, clients: Mapping[int, int]) -> None:
        """Note the clients held now, by service; an unwritable folder only causes a warning."""
        self._clients = dict(clients)
        self._write()

    def keep_session(self, session: HeldSession) -> None:
        """Note a data session in place of an earlier one for the same version of IP."""
        self.sessions[session.family] = session
        self._write()

    def forget_session(self, family: int) -> None:
        """Note that there is no session for a version of IP."""
        if self.sessions.pop(family, None) is not None:
            self._write()

    def forget(self) -> None:
        """Note that the modem has forgotten all clients and sessions."""
        self._clients = {}
        self.sessions = {}
        self._write()

    def opening(self) -> None:
        """Note that a channel is about to be opened."""
        if not self.channel:
            self.channel = True
            self._write()

    def closed(self) -> None:
        """Note that no channel is open."""
        if self.channel:
            self.channel = False
            self._write()

    def _write(self) -> None:
        if self._clients or self.channel or self.sessions:
            clients, sessions = tuple(self._clients.items()), tuple(self.sessions.values())
            self._file.write(_Held(_device(self._port), clients, self.channel, sessions))
        else:
            self._file.remove()


def _device(port: str) -> str:
    """Return a name of the device node that changes with a restart of modem or host; empty: unknown."""
    try:
        found = Path(port).stat()
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot} {found.st_dev} {found.st_ino}"
