"""A pool of activation codes with leases: each single-use code is used once, even after interruptions.

The pool file belongs to the lab, and the bench never writes to it. Next to the pool file PATH, PATH.leases
contains a JSON line for each event; the line is on the disk before the event takes effect. A code is `leased`
to a test, then either `spent` just before a card sees the code, or `returned` unused. An unspent lease of a
process that has ended counts as returned.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lpad.base.errors import Conflict, InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order: an activation code, or an order at a default SM-DP+ for a place's EID."""

    code: str | None = None
    default_smdp: str | None = None
    confirmation_code: str | None = None
    expendable: bool = False
    """Whether the bench may delete the profile that this order installs."""
    reusable: bool = False
    """Whether the server accepts the code any number of times."""
    place: str | None = None
    """The only place that may use the order; None: any place."""

    @property
    def key(self) -> str:
        """The identifier of the order in the file of leases, which contains no codes."""
        told = f"{self.code}|{self.default_smdp}|{self.place if self.code is None else ''}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]


class _Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    codes: list[Code]


@dataclass(slots=True)
class Lease:
    """A code that belongs to one test until the test ends."""

    pool: CodePool
    _code: Code
    spent: bool = field(default=False)

    @property
    def expendable(self) -> bool:
        """Whether the bench may delete the profile."""
        return self._code.expendable

    @property
    def default_smdp(self) -> str | None:
        """The default SM-DP+ at which the order waits; None: there is an activation code."""
        return self._code.default_smdp

    @property
    def confirmation_code(self) -> str | None:
        """The confirmation code that the operator gave with the order; None: the order needs none."""
        return self._code.confirmation_code

    def spend(self) -> str | None:
        """Record that the code is used up, and return it; None if the order waits at the default SM-DP+.

        Raises:
            Conflict: this lease has already been spent.
        """
        if self.spent:
            raise Conflict("a code of the pool can be used only once; lease another")
        self.pool.note("spent", self._code)
        self.spent = True
        return self._code.code

    def give_back(self) -> None:
        """End the lease; a code that was not spent can be leased again."""
        if not self.spent:
            self.pool.note("returned", self._code)


class CodePool:
    """The codes of one file, for several processes at the same time."""

    def __init__(self, path: Path, *, place: str) -> None:
        """Read the pool file, and check its orders.

        Args:
            path: the lab's file.
            place: the place for which codes are leased.

        Raises:
            InvalidSettings: the file cannot be read, or an order in it is invalid.
        """
        self._leases = path.with_name(path.name + ".leases")
        self._place = place
        try:
            self._codes = msgspec.yaml.decode(path.read_bytes(), type=_Pool).codes
        except OSError as error:
            raise InvalidSettings(f"cannot read the codes in {path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise InvalidSettings(f"the codes in {path} are invalid: {error}") from error
        if any((code.code is None) == (code.default_smdp is None) for code in self._codes):
            raise InvalidSettings(f"{path}: an order must have either a code or a default_smdp")
        if any(code.default_smdp and code.place is None for code in self._codes):
            raise InvalidSettings(
                f"{path}: an order at a default_smdp needs 'place', because the order is for one EID"
            )

    def lease(self, *, confirmation: bool = False, default: bool = False) -> Lease | None:
        """Return a lease of a fitting code that is unused or reusable, and not leased; None if there is none.

        Args:
            confirmation: whether the order must require a confirmation code.
            default: whether the order must wait at the default SM-DP+.
        """
        with self._locked():
            last = self._last_events()
            for code in self._codes:
                fits = (
                    (code.confirmation_code is not None) == confirmation
                    and (code.default_smdp is not None) == default
                    and code.place in (None, self._place)
                )
                if fits and _free(code, last.get(code.key)):
                    self._append("leased", code)
                    return Lease(self, code)
        return None

    def note(self, event: str, code: Code) -> None:
        """Record an event of a code on the disk."""
        with self._locked():
            self._append(event, code)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._leases.with_name(self._leases.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _last_events(self) -> dict[str, dict[str, Any]]:
        last: dict[str, dict[str, Any]] = {}
        text = self._leases.read_text(encoding="utf-8") if self._leases.exists() else ""
        for line in text.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the line was cut off while it was written, so its event never took effect
            last[event["code"]] = event
        return last

    def _append(self, event: str, code: Code) -> None:
        entry = {
            "event": event,
            "code": code.key,
            "place": self._place,
            "at": time.time(),
            "holder": _holder(os.getpid()),
        }
        with self._leases.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            if file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
                file.write(b"\n")
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _free(code: Code, event: dict[str, Any] | None) -> bool:
    if event is None or event["event"] == "returned":
        return True
    if event["event"] == "spent":
        return code.reusable
    host, pid, _ = holder = event["holder"]
    return bool(host == socket.gethostname() and _holder(pid) != holder)


def _holder(pid: int) -> list[Any]:
    """Return a process's host, PID, boot and start time; no later process has the same."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        started = stat.rpartition(")")[2].split()[19]
    except OSError:
        started = "gone"
    return [socket.gethostname(), pid, f"{boot}/{started}"]
