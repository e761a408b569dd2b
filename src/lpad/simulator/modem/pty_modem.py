"""A simulated AT modem on a pty, with any card and with faults; it behaves as on a real serial port."""

from __future__ import annotations

import logging
import os
import queue
import select
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lpad.base.errors import InternalError
from lpad.simulator.modem.commands import Card, CommandSet, Reply
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.recent_traffic_record import Transcript
from lpad.simulator.modem.serial_port import PtyPort
from lpad.simulator.modem.serial_rate import LineRate

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.pdp_contexts import Subscription

_log = logging.getLogger(__name__)

_COMMANDS_REMEMBERED = 4096
_LINES_REMEMBERED = 65_536
_LONGEST_LINE = 65_536
_PATIENCE_WITH_THREAD = 30.0


@dataclass(frozen=True, slots=True)
class ModemCounters:
    """The traffic on the port since the modem's start, including echo and line ends."""

    characters_in: int
    """The number of characters from the host to the modem."""
    characters_out: int
    """The number of characters from the modem to the host."""
    commands: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    on: str
    delay: float
    before: tuple[str, ...]
    instead: tuple[str, ...] | None
    executed: bool
    vanish: bool


class _SwitchedOffError(Exception):
    """The modem was switched off while its thread was waiting."""


class PtyModem:
    """A modem in its own thread; a context manager that switches it off at the end.

    The thread sleeps until the host writes, a time is reached, or one of the methods below is called.
    """

    def __init__(
        self,
        card: Card,
        *,
        path: str | os.PathLike[str] | None = None,
        baud: int | None = None,
        personality: ModemPersonality | None = None,
    ) -> None:
        """Switch a modem on.

        Args:
            card: the card in the modem's slot.
            path: where to put a symbolic link to the port; None: the pty's own name only.
            baud: bits per second to emulate in both directions; None: as fast as possible.
            personality: the modem's personality; None: a standard modem.

        Raises:
            InvalidValue: `path` exists and is not a symbolic link.
        """
        self._personality = personality or ModemPersonality()
        self._line_rate = LineRate(self._personality, baud=baud)
        self._commands = CommandSet(card, self._personality, line_rate=self._line_rate)
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._faults: deque[_Fault] = deque()
        self._typed = bytearray()
        self._stopping = False
        self.received: Transcript[str] = Transcript(maxlen=_COMMANDS_REMEMBERED)
        """The latest command lines, oldest first."""
        self.log: Transcript[str] = Transcript(maxlen=_LINES_REMEMBERED)
        """The latest lines, oldest first: "> " begins the lines of the host, "< " those of the modem."""
        self._count = 0
        self._crash: Exception | None = None
        self._port = PtyPort(
            path=None if path is None else os.fspath(path), baud=baud, rate=self._line_rate, wait=self._wait
        )
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="pty-modem", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> str:
        """The path at which a host opens the port."""
        return self._port.path

    @property
    def device(self) -> str:
        """The pty's own name, which may change when the port comes back."""
        return self._port.name

    @property
    def open_channels(self) -> tuple[str, ...]:
        """The names of the channels opened by +CCHO and not yet closed."""
        return self._commands.channels.open

    @property
    def own_channels(self) -> tuple[int, ...]:
        """The numbers of the modem's own open channels."""
        return self._commands.channels.own

    @property
    def powered(self) -> bool:
        """Whether radio and SIM have power."""
        return self._commands.radio.on

    @property
    def counters(self) -> ModemCounters:
        """The traffic on the port so far."""
        return ModemCounters(self._port.characters_in, self._port.characters_out, self._count)

    def close(self) -> None:
        """Switch the modem off; the port disappears.

        Raises:
            InternalError: the card, or the modem itself, had crashed.
        """
        if self._stopping:
            return
        self._stopping = True
        self._ring()
        self._thread.join(_PATIENCE_WITH_THREAD)
        self._port.vanish()
        os.close(self._wake)
        if self._crash is not None:
            raise InternalError("the simulated card or modem crashed") from self._crash

    def unsolicited(self, *lines: str) -> None:
        """Send unsolicited lines now."""
        self._do(lambda: self._say(lines))

    def say_raw(self, data: bytes) -> None:
        """Send raw characters now: noise, half lines, leftovers."""
        self._do(lambda: self._port.send(data))

    def swap_card(self, card: Card) -> None:
        """Insert another card, without any report."""
        self._do(lambda: self._commands.swap_card(card))

    def register(self, iccid: str, status: int) -> None:
        """Set the result of a profile's registration, like `ModemPersonality.registration` does."""
        self._do(lambda: self._commands.registration.outcome(iccid, status))

    def lock_sim(self, iccid: str, *, locked: bool = True) -> None:
        """Make a profile require its PIN from now on, like `ModemPersonality.pin_locked`, or no longer."""
        pins = self._commands.pin_locked
        self._do(lambda: pins.add(iccid) if locked else pins.discard(iccid))

    def subscribe(self, iccid: str, subscription: Subscription) -> None:
        """Set a profile's subscription from its next attach on."""
        self._do(lambda: self._commands.contexts.subscriptions.update({iccid: subscription}))

    def attach_anew(self) -> None:
        """Attach again, as a network sometimes requires."""

        def attach() -> None:
            self._commands.contexts.attaches += 1

        self._do(attach)

    @property
    def contexts(self) -> dict[int, tuple[str, str]]:
        """PDP type and APN of each context that the modem has stored."""
        return {cid: (each.kind, each.apn) for cid, each in self._commands.contexts.contexts.items()}

    @property
    def credentials(self) -> dict[int, tuple[str, str] | None]:
        """User name and password of each context; None: the context has none."""
        return {cid: each.credentials for cid, each in self._commands.contexts.contexts.items()}

    @property
    def attached(self) -> bool:
        """Whether the modem is, or tries to be, attached."""
        return self._commands.contexts.attached

    @property
    def line_rate(self) -> int:
        """The speed that +IPR has set, in bits per second; 0: the automatic speed."""
        return self._line_rate.rate

    def cut_power(self) -> None:
        """Switch the modem off and on."""

        def cut() -> None:
            self._commands.answer("AT+CFUN=1,1")

        self._do(cut)

    def vanish(self, *, wait: bool = True) -> None:
        """Make the port disappear.

        Args:
            wait: whether to wait until the port is gone; otherwise it disappears after the card's current
                answer.
        """
        self._do(self._port.vanish, wait=wait)

    def come_back(self, path: str | os.PathLike[str] | None = None) -> None:
        """Make the port reappear, under another path if one is given."""
        self._do(lambda: self._port.come_back(None if path is None else os.fspath(path)))

    def once(
        self,
        on: str = "",
        *,
        delay: float = 0.0,
        before: tuple[str, ...] = (),
        instead: tuple[str, ...] | None = None,
        executed: bool = True,
        vanish: bool = False,
    ) -> None:
        """Arm a fault for the next command that starts with `on`; several faults take effect in order.

        Args:
            on: the beginning of the command, such as "AT+CSIM"; empty: any command.
            delay: seconds by which the answer is delayed.
            before: lines sent before the answer.
            instead: lines in place of the answer, final line included; (): no answer;
                None: the modem's own answer.
            executed: whether the command is carried out if `instead` replaces its answer.
            vanish: whether the port disappears instead of the answer.
        """
        fault = _Fault(on=on, delay=delay, before=before, instead=instead, executed=executed, vanish=vanish)
        self._do(lambda: self._faults.append(fault))

    def forget_faults(self) -> None:
        """Remove the faults that have not taken effect yet."""
        self._do(self._faults.clear)

    # The following methods run in the modem's thread.

    def _run(self) -> None:
        try:
            while True:
                due = self._commands.registration.due
                self._sleep(None if due is None else max(0.0, due - time.monotonic()), self._port.fd)
                for byte in self._hear():
                    self._type(byte)
                self._say(self._commands.registration.news())
        except _SwitchedOffError:
            pass
        except Exception as crash:  # noqa: BLE001 - close() raises it in the test's thread
            self._crash = crash
            self._port.vanish()
            _log.exception("the simulated modem crashed")

    def _hear(self) -> bytes:
        data = self._port.read()
        if data and self._commands.echo:
            self._port.send(data, piece=self._personality.piece)
        return data

    def _type(self, byte: int) -> None:
        if byte != ord("\r"):
            if len(self._typed) < _LONGEST_LINE:
                self._typed.append(byte)
            return
        line = self._typed.decode("ascii", "replace").strip()
        self._typed.clear()
        self._port.wait_until_received()
        self._serve(line)

    def _serve(self, line: str) -> None:
        if not line:
            return
        self._count += 1
        self.received.append(line)
        self.log.append(f"> {line}")
        fault = self._fault_for(line)
        reply = None
        if fault is None or fault.executed:
            reply = self._commands.answer(line)
        delay = (0.0 if reply is None else self._personality.answer_delay) + (fault.delay if fault else 0.0)
        if delay:
            self._wait(time.monotonic() + delay)
        if fault is not None and fault.vanish:
            self._port.vanish()
        elif fault is not None and fault.instead is not None:
            self._say(fault.before + fault.instead)
        elif reply is not None:
            if reply.line_rate is not None and self._personality.answers_at_new_rate:
                self._line_rate.rate = reply.line_rate
            before = self._personality.urcs_before_answer + (fault.before if fault else ())
            personality = self._personality
            after = reply.after + personality.urcs_after_answer
            self._say((*before, *reply.lines, *personality.urcs_before_ok, reply.final, *after))
        self._after(reply)

    def _after(self, reply: Reply | None) -> None:
        if reply is not None and reply.line_rate is not None:
            self._line_rate.rate = reply.line_rate
        if reply is not None and reply.away is not None:
            self._go_away(reply.away)
        if reply is None or reply.proactive is None or not self._personality.fetches_proactive:
            return
        if not self._commands.serve_proactive(reply.proactive):
            return
        if self._personality.away_after_refresh is not None:
            self._go_away(self._personality.away_after_refresh)
        if self._personality.refresh_urc is not None:
            self._say((self._personality.refresh_urc,))

    def _go_away(self, seconds: float) -> None:
        """Make the port disappear for `seconds`, like a restarting USB modem."""
        self._port.vanish()
        self._wait(time.monotonic() + seconds)
        self._port.come_back(elsewhere=self._personality.comes_back_elsewhere)

    def _fault_for(self, line: str) -> _Fault | None:
        for fault in self._faults:
            if line.upper().startswith(fault.on.upper()):
                self._faults.remove(fault)
                return fault
        return None

    def _say(self, lines: tuple[str, ...]) -> None:
        self.log.extend(f"< {line}" for line in lines)
        end = self._personality.line_end
        before = "" if self._personality.glued else end
        data = "".join(f"{before}{line}{end}" for line in lines).encode("ascii", "replace")
        self._port.send(data, piece=self._personality.piece)

    def _wait(self, until: float) -> None:
        """Sleep until a time, and serve calls from other threads meanwhile."""
        while (left := until - time.monotonic()) > 0:
            self._sleep(left, None)

    def _sleep(self, seconds: float | None, also: int | None) -> None:
        watched = [self._wake] if also is None else [self._wake, also]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._stopping:
            raise _SwitchedOffError
        with suppress(queue.Empty):
            while True:
                self._requests.get_nowait()()

    # The following methods run in the caller's thread.

    def _ring(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _do(self, what: Callable[[], None], *, wait: bool = True) -> None:
        """Run a function in the modem's thread; with `wait`, return only when the function is done."""
        done = threading.Event()

        def request() -> None:
            try:
                what()
            finally:
                done.set()

        if not self._thread.is_alive():
            return
        self._requests.put(request)
        self._ring()
        if wait and not done.wait(_PATIENCE_WITH_THREAD) and self._thread.is_alive():
            raise InternalError("the simulated modem does not listen: its card never answers")
