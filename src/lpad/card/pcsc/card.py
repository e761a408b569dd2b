"""A raw card in a PC/SC reader: connected when used, and used in turns if the reader is shared."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, TypeVar

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.card.pcsc.call_thread import CallThread, OverdueError
from lpad.card.pcsc.calls import Context
from lpad.card.pcsc.error_codes import is_lost, protocol_lost, was_reset
from lpad.card.pcsc.other_programs import programs_using_pcsc
from lpad.card.pcsc.reader_choice import choose_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.card.pcsc.calls import Connection
    from lpad.protocol.apdu import Apdu

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_CLOSING = 5.0
"""Seconds to wait for a reader's release, which is then left to the reader's thread."""
_ENDING_TURN = 10.0
_MOST_RESETS = 3
"""The maximum number of times that another program may reset the card while lpad waits for its turn."""

_abandoned: dict[str, CallThread] = {}
"""For each reader, the thread that still uses the reader, perhaps in an overdue call. No second thread is
started while that thread lives, because pcscd would refuse its connection (SCARD_E_SHARING_VIOLATION)."""
_abandoned_lock = threading.Lock()
_suspects: set[str] = set()
"""Readers whose card was lost during an operation, which may still be unfinished."""


class PcscCard:
    """A card in a reader, used exclusively or shared.

    With exclusive use, no other program can use the reader until `close`, as with a serial port's lock. With
    shared use, other programs may connect, but a transaction from `begin` to `end` keeps them from selecting
    another application during a session.
    """

    def __init__(self, reader: str | int, *, shared: bool = False) -> None:
        """Choose a reader, for exclusive or `shared` use; nothing happens before `begin`."""
        self._wanted = reader
        self._shared = shared
        self._seat: _Seat | None = None
        self._sessions = 0
        self._was_reset = False
        self.starts = 0
        """The number of possible restarts of the card; a restarted card has forgotten earlier commands."""

    def begin(self, *, deadline: Deadline) -> None:
        """Connect if necessary, and take a turn; call `end` afterwards.

        Raises:
            CardUnreachable: no pyscard, pcscd, reader or card, or the card does not answer.
            CardBusy: another program uses the reader, or has its turn.
        """
        if self._sessions == 0:
            self._start_session(deadline=deadline)
        self._sessions += 1

    def end(self) -> None:
        """End the turn; never raises."""
        self._sessions -= 1
        if self._sessions or not self._shared or self._seat is None:
            return
        try:
            self._call(
                self._seat.connection.end,
                "cannot end the turn with the card",
                deadline=Deadline.after(_ENDING_TURN),
            )
        except CardError as error:
            _log.info("%s", error)

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        """Send an APDU (see `RawCard`); only between `begin` and `end`."""
        seat = self._seat
        if seat is None:
            attempted = f"cannot send an APDU to {self._name}"
            if self._was_reset:
                raise protocol_lost(attempted)
            raise CardUnreachable(f"{attempted}: the connection to the card was lost; try again")
        connection = seat.connection
        fit = _for_blocks(apdu) if connection.block_oriented else _for_characters(apdu)
        try:
            return self._call(
                lambda: connection.transmit(fit), "cannot send an APDU to the card", deadline=deadline
            )
        except CardError as error:
            if was_reset(error):
                self._lose()  # pcscd refuses this connection from now on, even in the next turn
                self._was_reset = True
            raise

    def atr(self, *, deadline: Deadline) -> bytes:
        """Return the card's answer to reset; only between `begin` and `end`.

        Raises:
            CardUnreachable: the card was lost.
        """
        if self._seat is None:
            raise CardUnreachable(
                f"cannot read the answer to reset of the card in {self._name}: the connection to it was lost;"
                " try again"
            )
        return self._call(
            self._seat.connection.atr, "cannot read the answer to reset of the card", deadline=deadline
        )

    def reset(self, *, deadline: Deadline) -> None:
        """Switch the card's power off and on; channels are lost, the turn continues.

        Raises:
            CardUnreachable: the card does not respond after the reset.
        """
        if self._seat is None:
            raise CardUnreachable(
                f"cannot reset the card in {self._name}: the connection to it was lost; try again"
            )
        self.starts += 1
        self._call(self._seat.connection.reset, "cannot reset the card", deadline=deadline)

    def close(self) -> None:
        """Release the reader; never raises. A hanging call is abandoned with its thread."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.thread.end()
            if not seat.thread.wait(deadline=Deadline.after(_CLOSING)):
                _log.warning("%s will be released as soon as its driver returns", self._name)

    @property
    def reader(self) -> str | None:
        """The name of the reader that was found; None while there is no connection."""
        return None if self._seat is None else self._seat.reader

    @property
    def protocol(self) -> str | None:
        """pcsc-t0 or pcsc-t1; None while there is no connection."""
        if self._seat is None:
            return None
        return "pcsc-t1" if self._seat.connection.block_oriented else "pcsc-t0"

    @property
    def _name(self) -> str:
        return f"reader '{self._seat.reader if self._seat else self._wanted}'"

    def _start_session(self, *, deadline: Deadline) -> None:
        """Make sure that there is a working connection, and take a turn.

        Reconnect after a card change or a restart of pcscd.
        """
        for _ in range(_MOST_RESETS):
            fresh = self._seat is None
            connection = (self._seat or self._sit_down(deadline=deadline)).connection
            try:
                if self._shared:
                    self._call(
                        connection.begin, "cannot get a turn with the card", deadline=deadline, turn=True
                    )
                else:
                    self._call(connection.check, "cannot check the card", deadline=deadline)
            except CardError as error:
                if was_reset(error):
                    self.starts += 1
                    self._call(connection.resume, "cannot reconnect to the card", deadline=deadline)
                elif fresh or not is_lost(error):
                    raise
                else:
                    _log.info("reconnecting, because of an error: %s", error)
            else:
                self._clear_suspicion(connection, deadline=deadline)
                return
        raise CardBusy(
            f"cannot use the card in {self._name}: it is reset again and again; stop the programs that reset"
            " it, or check that the card sits firmly in the reader"
        )

    def _clear_suspicion(self, connection: Connection, *, deadline: Deadline) -> None:
        key = str(self._wanted)
        if self._shared and key in _suspects:
            self._call(connection.reset, "cannot reset the card", deadline=deadline)
        _suspects.discard(key)

    def _sit_down(self, *, deadline: Deadline) -> _Seat:
        self._await_abandoned(deadline=deadline)
        seat = _Seat(self._wanted, shared=self._shared)
        try:
            self._wait_for(seat, seat.connect, "cannot connect to the card", deadline=deadline)
        except BaseException:
            seat.thread.end()
            raise
        _log.debug("connected to the card in '%s'", seat.reader)
        self._seat = seat
        self._was_reset = False
        self.starts += 1
        return seat

    def _await_abandoned(self, *, deadline: Deadline) -> None:
        key = str(self._wanted)
        with _abandoned_lock:
            earlier = _abandoned.get(key)
        if earlier is None:
            return
        if not earlier.wait(deadline=deadline):
            raise CardUnreachable(
                f"cannot connect to the card in {self._name}: an earlier call by lpad still hangs in the"
                " reader's driver; take the card out and put it in again, or restart pcscd"
            )
        with _abandoned_lock:
            if _abandoned.get(key) is earlier:
                del _abandoned[key]

    def _call(
        self,
        function: Callable[[], _T],
        doing: str,
        *,
        deadline: Deadline,
        turn: bool = False,
    ) -> _T:
        """Call `function` in the connection's thread; drop the connection if it is unusable afterwards."""
        seat = self._seat
        assert seat is not None  # the callers have checked that there is a connection
        try:
            return self._wait_for(seat, function, doing, deadline=deadline, turn=turn)
        except CardError as error:
            if is_lost(error) and not was_reset(error):
                self._lose()
            raise

    def _wait_for(
        self,
        seat: _Seat,
        function: Callable[[], _T],
        doing: str,
        *,
        deadline: Deadline,
        turn: bool = False,
    ) -> _T:
        if deadline.passed:
            raise CardUnreachable(f"{doing} in {self._name}: no time was left; try again")
        try:
            return seat.thread.call(function, deadline=deadline)
        except OverdueError:
            with _abandoned_lock:
                _abandoned[str(self._wanted)] = seat.thread
            self._suspect(seat)
            error = self._overdue(doing, turn=turn)
            if self._seat is seat:
                self._seat = None
            raise error from None

    def _overdue(self, doing: str, *, turn: bool) -> CardError:
        """Return the error for a call that did not return: no answer, or another program's turn."""
        programs = ", ".join(programs_using_pcsc())
        if turn:
            who = f"another program ({programs})" if programs else "another program"
            return CardBusy(
                f"{doing} in {self._name}: {who} did not end its turn in time; stop that program, or try"
                " again"
            )
        attempted = f"{doing} in {self._name}: no answer came in time; "
        remedy = "take the card out and put it in again, or restart pcscd"
        if programs and self._seat is None:
            return CardBusy(f"{attempted}{programs} may be using the card: stop it; otherwise {remedy}")
        return CardUnreachable(attempted + remedy)

    def _lose(self) -> None:
        """Leave the connection to its thread, which releases the reader before the next connection begins."""
        seat, self._seat = self._seat, None
        if seat is not None:
            self._suspect(seat)
            with _abandoned_lock:
                _abandoned[str(self._wanted)] = seat.thread
            seat.thread.end()

    def _suspect(self, seat: _Seat) -> None:
        seat.lost = True
        if self._sessions:
            _suspects.add(str(self._wanted))


class _Seat:
    """A thread with its context and connection."""

    connection: Connection

    def __init__(self, wanted: str | int, *, shared: bool) -> None:
        self._wanted = wanted
        self._shared = shared
        self._context: Context | None = None
        self._connection: Connection | None = None
        self.reader = str(wanted)
        self.lost = False
        self.thread = CallThread(f"pcsc-{wanted}", farewell=self._leave)

    def connect(self) -> None:
        self._context = Context()
        self.reader = choose_reader(self._wanted, self._context.readers())
        self._connection = self.connection = self._context.connect(self.reader, shared=self._shared)
        if not self._shared:
            # The card may still have power, and channels of an earlier session may be open.
            self.connection.reset()

    def _leave(self) -> None:
        if self._connection is not None:
            # Switching the power off closes all channels. A shared card keeps its power, for the sessions of
            # other programs. A lost card also keeps its power: if the card could not be switched off, pcscd
            # would consider it absent and not notice its return (see `Context`).
            self._connection.close(unpower=not self._shared and not self.lost)
        if self._context is not None:
            self._context.close()


def _for_blocks(apdu: Apdu) -> Apdu:
    """Return the APDU for T=1, in which a command needs Le to get data.

    With T=0 the card offers the data with 61xx instead, and modems expect no Le (ISO/IEC 7816-3, 12.1).
    """
    command = apdu.command
    ends_es10 = command.block is not None and not command.unfinished
    return apdu.with_le() if ends_es10 and command.le is None else apdu


def _for_characters(apdu: Apdu) -> Apdu:
    """Return the APDU for T=0, in which a header has five bytes (ISO/IEC 7816-3, 12.2.2)."""
    return apdu.with_le() if len(apdu) == 4 else apdu
