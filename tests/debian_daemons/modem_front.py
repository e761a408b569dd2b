"""The AT port of a simulated modem for ModemManager: an abstract socket, as its test mode requires.

ModemManager's commands that lpad does not need are answered here, and all others by the simulated modem,
whose other port lpad may be using.
"""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.commands import Reply
    from lpad.simulator.modem.pty_modem import PtyModem

PATIENCE = 30.0
_TYPES = ("IP", "IPV6", "IPV4V6")

_ANSWERS: dict[str, tuple[str, ...]] = {
    "+GCAP": ("+GCAP: +CGSM",),
    "+CIMI": ("001010123456789",),
    "+COPS?": ('+COPS: 0,2,"00101",7',),
    "+CSQ": ("+CSQ: 20,99",),
    "+WS46=?": ("+WS46: (12,22,25,28)",),
    "+CGDCONT=?": tuple(f'+CGDCONT: (1-8),"{each}",,,(0),(0)' for each in _TYPES),
    "+CSCS=?": ('+CSCS: ("IRA","UCS2","GSM")',),
    "+CFUN?": ("+CFUN: 1",),
    "+CREG?": ("+CREG: 0,1",),
}


class ModemFront:
    """One AT port; a context manager that closes it."""

    def __init__(self, name: str, modem: PtyModem) -> None:
        """Listen on the abstract socket.

        Args:
            name: the port's name for ModemManager, without `abstract:`.
            modem: answers the commands that this class does not answer.
        """
        self.name = f"abstract:{name}"
        self._modem = modem
        self._changed = threading.Condition()
        self.contexts: dict[str, str] = {}
        """The latest arguments of +CGDCONT after each context's number."""
        self.received: list[str] = []
        """Command lines, oldest first."""
        self.answers: dict[str, tuple[str, ...]] = dict(_ANSWERS)
        """The lines before OK, by the command without its AT prefix; a test may add to them."""
        self._dialled: list[str] = []
        self.dialling: float | None = None
        """Seconds after which the network rejects a dialled connection; None: it accepts immediately."""
        self._refused: dict[str, str] = {}
        self._connections: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"\0{self.name}")
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def dialled(self) -> list[str]:
        """Return the APN of every dialled context, oldest first."""
        with self._changed:
            return list(self._dialled)

    def refuse(self, apn: str, answer: str) -> None:
        """Have the network refuse an APN, with this answer to dialling a context with it."""
        self._refused[apn] = answer

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until one of ModemManager's commands has made a condition true."""
        with self._changed:
            assert self._changed.wait_for(holds, PATIENCE), self.received[-20:]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        waiting = b""
        with suppress(OSError):
            while data := connection.recv(4096):
                waiting += data
                *lines, waiting = waiting.split(b"\r")
                for line in (each.decode("ascii", "replace").strip() for each in lines):
                    if line:
                        said = self._answer(line)
                        connection.sendall("".join(f"\r\n{each}\r\n" for each in said).encode())
        self._connections.discard(connection)
        connection.close()

    def _answer(self, line: str) -> list[str]:
        with self._changed:
            self.received.append(line)
            said = self._own_answer(line.removeprefix("AT"))
            self._changed.notify_all()
        if self.dialling is not None and line.startswith("ATD"):
            threading.Event().wait(self.dialling)
            return ["NO CARRIER"]
        return self._from_modem(line) if said is None else said

    def _own_answer(self, command: str) -> list[str] | None:
        if command in self.answers:
            said = list(self.answers[command])
            return said if said[-1:] == ["ERROR"] else [*said, "OK"]
        if command == "+CGDCONT?":
            return [*(f'+CGDCONT: {cid},{rest},"",0,0' for cid, rest in sorted(self.contexts.items())), "OK"]
        if (match := re.fullmatch(r"D\*99\*\*\*(\d+)#", command)) is not None:
            apn = self.contexts[match[1]].split(",")[1].strip('"')
            self._dialled.append(apn)
            return [self._refused.get(apn, "CONNECT")]
        if (match := re.fullmatch(r"\+CGDCONT=(\d+)(?:,(.*))?", command)) is not None:
            if match[2]:
                self.contexts[match[1]] = match[2]
            else:
                self.contexts.pop(match[1], None)
            return ["OK"]
        return None

    def _from_modem(self, line: str) -> list[str]:
        """Have the modem's own thread answer, as if on another of its ports; return the answer's lines."""
        replies: list[Reply | None] = []
        self._modem._do(lambda: replies.append(self._modem._commands.answer(line)))
        reply = replies[0] if replies else None
        # A command that the simulated modem does not know must not end the probing.
        if reply is None or reply.final == "ERROR":
            return ["OK"]
        return [*reply.lines, reply.final]
