"""Knowledge about servers, kept across restarts, so that normally one handshake is enough.

A remembered anchor counts only while the card still names the CI that signed it, and only until the server
shows a different chain. The file contains no secrets; cards are listed under a hash of their EID.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from lpad.base.regular_file import read_regular
from lpad.remote.trust.anchor_named_by_card import Anchor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LOG = logging.getLogger(__name__)

_MOST = 64
"""The maximum number of entries of each kind; each further entry replaces the oldest."""
_LARGEST = 1024 * 1024
_FORMAT = 1


class TrustMemory:
    """Anchors by server, servers that need brainpool, and the CIs of each card; thread-safe.

    Servers that the usual anchors confirm are known until the process ends; they are not in the file.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the file of known servers, if `path` names one."""
        self._path = path
        self._lock = threading.Lock()
        self._anchors: dict[tuple[str, bytes], bytes] = {}
        self._brainpool: dict[str, None] = {}
        self._cards: dict[str, tuple[bytes, ...]] = {}
        self._usual: dict[str, None] = {}
        if path is not None:
            self._read(path)

    def anchor(self, server: str, authorities: Iterable[bytes]) -> Anchor | None:
        """Return the anchor that verified `server`, signed by a CI of the list; None if unknown."""
        listed = tuple(authorities)
        with self._lock:
            for (known, key_id), certificate in reversed(self._anchors.items()):
                anchor = Anchor(certificate, key_id)
                if known == server and anchor.named_by(listed):
                    return anchor
        return None

    def remember_anchor(self, server: str, anchor: Anchor) -> None:
        """Keep an anchor that verified a server."""
        with self._lock:
            key = (server, anchor.issuer_key_id)
            news = self._anchors.pop(key, None) != anchor.certificate
            self._anchors[key] = anchor.certificate
            self._keep(self._anchors, news=news)

    def forget_anchor(self, server: str, anchor: Anchor) -> None:
        """Drop an anchor that no longer works."""
        with self._lock:
            if self._anchors.pop((server, anchor.issuer_key_id), None) is not None:
                self._keep(self._anchors, news=True)

    def needs_brainpool(self, server: str) -> bool:
        """Return whether `server` shares no cipher with the usual offer."""
        with self._lock:
            return server in self._brainpool

    def remember_brainpool(self, server: str, *, needed: bool) -> None:
        """Keep whether `server` needs brainpool."""
        with self._lock:
            if needed == (server in self._brainpool):
                return
            if needed:
                self._brainpool[server] = None
            else:
                del self._brainpool[server]
            self._keep(self._brainpool, news=True)

    def needs_usual(self, server: str) -> bool:
        """Return whether the usual anchors confirmed `server` at the last connection."""
        with self._lock:
            return server in self._usual

    def remember_usual(self, server: str, *, needed: bool) -> None:
        """Keep, in memory, whether the usual anchors confirm `server`."""
        with self._lock:
            self._usual.pop(server, None)
            if needed:
                self._usual[server] = None
                while len(self._usual) > _MOST:
                    del self._usual[next(iter(self._usual))]

    def authorities(self, eid: str, named: tuple[bytes, ...] | None) -> tuple[bytes, ...]:
        """Return the CIs that a card names, and keep them for times when the card is unavailable.

        Args:
            named: the card's present list; None: use the last known one.
        """
        card = hashlib.sha256(eid.encode()).hexdigest()[:32]
        with self._lock:
            if named is None:
                return self._cards.get(card, ())
            if eid and self._cards.get(card) != named:
                self._cards[card] = named
                self._keep(self._cards, news=True)
        return named

    def _keep(self, entries: dict[Any, Any], *, news: bool) -> None:
        """Limit `entries`, and write everything if something changed. Called with the lock held."""
        while len(entries) > _MOST:
            del entries[next(iter(entries))]
        if self._path is None or not news:
            return
        content = {
            "format": _FORMAT,
            "anchors": [
                {"server": server, "ci": key_id.hex(), "certificate": base64.b64encode(raw).decode()}
                for (server, key_id), raw in self._anchors.items()
            ],
            "brainpool": list(self._brainpool),
            "cards": {card: [each.hex() for each in named] for card, named in self._cards.items()},
        }
        draft = self._path.with_name(self._path.name + ".new")
        try:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(content, file, indent=1)
            draft.replace(self._path)  # not synced, because lpad can find the entries again
        except OSError as error:
            _LOG.warning("cannot save the knowledge about servers: %s: %s", self._path, error.strerror)

    def _read(self, path: Path) -> None:
        try:
            content = json.loads(read_regular(path, most=_LARGEST))
            if content["format"] != _FORMAT:
                content = {"anchors": [], "cards": {}, "brainpool": []}
            anchors = {
                (str(each["server"]), bytes.fromhex(each["ci"])): base64.b64decode(each["certificate"])
                for each in content["anchors"]
            }
            cards = {
                str(card): tuple(bytes.fromhex(each) for each in named)
                for card, named in content["cards"].items()
            }
            self._anchors, self._cards = anchors, cards
            self._brainpool = {str(server): None for server in content["brainpool"]}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # The file may be empty after a power cut. lpad learns its content again.
            _LOG.warning("cannot read %s; lpad creates a new file", path)
