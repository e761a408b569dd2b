"""Ports whose names change: /dev/ttyUSB2 may belong to another modem after re-plugging.

udev keeps lasting names under /dev/serial: by-id from the modem's identification, by-path from the USB
socket. lpad remembers the names of the last opened port, and a digest of the modem's IMEI.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct

from lpad.base.errors import CardError
from lpad.base.expendable_file import ExpendableFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Imei

_log = logging.getLogger(__name__)

SERIAL = Path("/dev/serial")
_KINDS = ("by-id", "by-path")


class Opened(Protocol):
    """An opened port."""

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI, or None if the modem reports none."""

    def close(self) -> None:
        """Release the port."""


_O = TypeVar("_O", bound=Opened)


class _Known(Struct, frozen=True):
    names: tuple[str, ...] = ()
    modem: str | None = None
    """A digest of the modem's IMEI; None: the IMEI is unknown."""


class PortNames:
    """The names of one port in the settings."""

    def __init__(self, port: str, *, folder: Path | None, serial: Path = SERIAL) -> None:
        """Use a port; the stored names are read when they are first needed.

        Args:
            port: the path from the settings. A symbolic link, such as those under /dev/serial, is itself a
                lasting name.
            folder: where to store the names; None: only in memory.
            serial: the folder of udev's names.
        """
        self._port = port
        self._serial = serial
        digest = hashlib.sha256(port.encode()).hexdigest()[:16]
        self._file = ExpendableFile(None if folder is None else folder / f"{digest}.port", _Known)
        self._memory: _Known | None = None

    def there(self) -> bool:
        """Return whether the port exists under any of its names."""
        return any(Path(name).exists() for name in self._candidates())

    def open(self, open_port: Callable[[str], _O], *, deadline: Deadline) -> _O:
        """Open the port under a name that leads to the same modem.

        If only a different modem answers, the modem was replaced: lpad logs that and uses the new
        modem. Changes for the old modem's card are refused because of its EID.

        Args:
            open_port: opens the port with a given name.
            deadline: the limit for the query of the modem's IMEI.

        Raises:
            CardError: no name leads to a modem.
        """
        known, failure, others = self._known(), None, list[str]()
        for name in self._candidates():
            try:
                opened = open_port(name)
            except CardError as error:
                failure = failure or error
                continue
            if known.modem is None or _digest(opened, deadline=deadline) in (None, known.modem):
                if name != self._port:
                    _log.info("%s: opened as %s", self._port, name)
                return self._remembered(opened, name, deadline=deadline)
            opened.close()
            others.append(name)
        if not others:
            assert failure is not None
            raise failure
        _log.warning("%s: a different modem answers; lpad treats it as a replacement", self._port)
        name = others[-1]  # the name from the settings, if a modem answers there
        replacing = open_port(name)
        self._memory = _Known()
        return self._remembered(replacing, name, deadline=deadline)

    def _candidates(self) -> tuple[str, ...]:
        lasting = [name for name in self._known().names if Path(name).exists()]
        return (*lasting, self._port)

    def _remembered(self, opened: _O, name: str, *, deadline: Deadline) -> _O:
        if Path(self._port).is_symlink():
            return opened
        names = self._lasting_names(name)
        if names:
            modem = _digest(opened, deadline=deadline)
            self._keep(_Known(names, modem or self._known().modem))
        return opened

    def _lasting_names(self, name: str) -> tuple[str, ...]:
        device = Path(name).resolve()
        folders = [self._serial / kind for kind in _KINDS]
        return tuple(
            str(link)
            for folder in folders
            if folder.is_dir()
            for link in sorted(folder.iterdir())
            if link.resolve() == device
        )

    def _known(self) -> _Known:
        if self._memory is None:
            self._memory = self._file.read() or _Known()
        return self._memory

    def _keep(self, known: _Known) -> None:
        if known == self._known():
            return
        self._memory = known
        self._file.write(known)


def _digest(opened: Opened, *, deadline: Deadline) -> str | None:
    """Return a digest that identifies the modem; None if the modem reports no IMEI or does not answer."""
    try:
        imei = opened.imei(deadline=deadline)
    except CardError as error:
        _log.info("%s", error)
        return None
    return None if imei is None else device_key(imei, "")


def device_key(imei: Imei | None, port: str) -> str:
    """Return the name under which a modem is remembered; it follows the modem, not its port.

    The name does not contain the IMEI itself; modems without an IMEI are remembered by their port.
    """
    told = f"imei {imei}" if imei is not None else f"port {port}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
