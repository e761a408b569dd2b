"""The link that worked with a modem or a card in a reader, kept across restarts in small expendable files."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Struct

from lpad.base.expendable_file import replace_file
from lpad.base.frozen import Frozen
from lpad.base.regular_file import open_regular, read_regular
from lpad.card.link.held_qmi_clients import HeldClients
from lpad.card.modem.powered_down_note import PoweredDown
from lpad.card.quirks.modem_identity import UNKNOWN_MODEM, ModemIdentity
from lpad.card.quirks.quirks import LinkKind

if TYPE_CHECKING:
    from pathlib import Path


_log = logging.getLogger(__name__)

MOST = 64
"""The maximum number of remembered modems and kinds of cards, which is limited because a modem may report a
different IMEI each time."""


class Remembered(Frozen, kw_only=True):
    """Results of the last use of a modem (of this make and firmware) or a card in a reader; None: unknown."""

    identity: ModemIdentity = UNKNOWN_MODEM
    link: LinkKind | None = None
    """The kind of link that reached the card; None: lpad must search for it."""
    doubted: LinkKind | None = None
    """The kind of link that failed in the middle of a command, so that other kinds are tried before it."""
    block_size: Annotated[int, msgspec.Meta(ge=1, le=255)] | None = None
    """The size of the largest STORE DATA block that passed, if the link refused a larger block."""
    larger_blocks: bool | None = None
    """Whether blocks of 255 bytes passed although the modem's quirk gives fewer; None: not tried."""
    isdr_aid: str | None = None
    """The AID under which the ISD-R answered, as hexadecimal digits."""
    le: bool = False
    """Whether commands must carry Le to be answered with data."""
    select_p2: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    """P2 of SELECT with which a modem's MBIM port opens channels."""
    class_byte_type: Annotated[int, msgspec.Meta(ge=0, le=1)] | None = None
    """The type of class byte with which the modem passes ES10 commands on."""
    terminal_capability: bool = False
    """Whether the card shows its ISD-R only after the modem has declared an LPA to it."""
    no_euicc: str | None = None
    """A digest of the ICCID of a card that shows no ISD-R even after the modem has declared an LPA."""


class _Writing(Struct, frozen=True):
    """A counter of writes in the folder, which orders the files, because a clock may be wrong."""

    written: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)] = 0


class LinkMemory:
    """Remembered modems and kinds of cards, in a folder; without a folder, only in memory."""

    def __init__(self, folder: Path | None) -> None:
        """Use a folder, which is created when needed.

        Args:
            folder: such as /var/lib/lpad/links; None: nothing is stored.
        """
        self._folder = folder
        self._known: dict[str, Remembered] = {}
        self._powered_down: dict[str, PoweredDown] = {}

    def get(self, key: str) -> Remembered | None:
        """Return the entry for `key`; None if there is no readable entry."""
        if key in self._known or self._folder is None:
            return self._known.get(key)
        path = self._path(key)
        try:
            remembered = msgspec.json.decode(read_regular(path), type=Remembered)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("cannot read %s (%s): lpad treats the modem as a new one", path, error)
            return None
        self._known[key] = remembered
        return remembered

    def put(self, key: str, remembered: Remembered) -> None:
        """Store an entry; an unwritable folder only causes a warning."""
        if self._known.get(key) == remembered:
            return
        self._known[key] = remembered
        if self._folder is None:
            return
        path = self._path(key)
        try:
            content = msgspec.to_builtins(remembered) | {"written": self._last_writing() + 1}
            replace_file(path, msgspec.json.format(msgspec.json.encode(content), indent=1), synced=True)
            self._forget_oldest(self._folder, but=path)
        except OSError as error:
            _log.warning("%s cannot be written: %s", path, error)

    def _last_writing(self) -> int:
        assert self._folder is not None
        return max(map(_writing, self._folder.glob("*.json")), default=0)

    def _forget_oldest(self, folder: Path, *, but: Path) -> None:
        others = sorted((each for each in folder.glob("*.json") if each != but), key=_writing, reverse=True)
        for old in others[MOST - 1 :]:
            for path in folder.glob(f"{old.stem}.*"):
                path.unlink(missing_ok=True)
            self._known.pop(old.stem, None)
            self._powered_down.pop(old.stem, None)

    def open_channel(self, key: str) -> OpenChannel:
        """Return the note about the open channel of a modem."""
        return OpenChannel(None if self._folder is None else self._folder / f"{key}.open")

    def held_clients(self, key: str, *, port: str) -> HeldClients:
        """Return the note about the clients that are held at a modem's QMI port."""
        path = None if self._folder is None else self._folder / f"{key}.clients"
        return HeldClients(path, port=port)

    def powered_down(self, key: str) -> PoweredDown:
        """Return the note about powered-down parts of a modem."""
        path = None if self._folder is None else self._folder / f"{key}.down"
        return self._powered_down.setdefault(key, PoweredDown(path))

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{key}.json"


class Leftover(Struct, frozen=True):
    """A channel that was left open; `handle` is None if its name is unknown."""

    link: LinkKind
    handle: str | None


class OpenChannel:
    """A note on disk while a channel is open; a note found at the start shows a channel that was left open.

    The note is not synced: a killed process leaves the note, and a loss of power, which could lose the note,
    usually resets the card, too. Between two channels the file is kept under a different name, so that
    there is room for the next note even on a full disk.
    """

    def __init__(self, path: Path | None) -> None:
        """Keep the note in the file `path`; None: keep no note."""
        self._path = path

    def left_over(self) -> Leftover | None:
        """Return the channel that an earlier process left open; None if there is no readable note."""
        if self._path is None:
            return None
        try:
            return msgspec.json.decode(read_regular(self._path), type=Leftover)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning(
                "the note of an open channel in %s cannot be read; lpad discards it: %s", self._path, error
            )
            self.clear()
            return None

    def note(self, link: LinkKind, handle: str | None) -> None:
        """Note that a channel is about to be opened, or is open under the name `handle`."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            spare = self._path.with_suffix(".opening")
            with os.fdopen(open_regular(spare, os.O_WRONLY | os.O_CREAT), "wb") as file:
                file.write(msgspec.json.encode(Leftover(link, handle)))
                file.truncate()
            spare.replace(self._path)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)

    def clear(self) -> None:
        """Note that no channel is open."""
        if self._path is not None:
            try:
                self._path.replace(self._path.with_suffix(".opening"))
            except FileNotFoundError:
                return
            except OSError as error:
                _log.warning("%s cannot be renamed: %s", self._path, error)


def _writing(path: Path) -> int:
    """Return a file's write counter; 0 (the oldest) if it has none or cannot be read."""
    try:
        return msgspec.json.decode(read_regular(path), type=_Writing).written
    except (OSError, ValueError):
        return 0


def card_key(reader: str, atr: bytes) -> str:
    """Return the name under which a card in a reader is remembered: a digest of the reader and the ATR."""
    return hashlib.sha256(f"reader {reader} atr {atr.hex()}".encode()).hexdigest()[:16]
