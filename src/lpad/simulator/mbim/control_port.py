"""The control port of a simulated MBIM modem, on a pty or on a Unix socket, with faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InternalError
from lpad.codec.mbim.framing import TO_FUNCTION, encode
from lpad.codec.mbim.messages import Command, CommandDone, FunctionError, Message
from lpad.codec.mbim.reassembly import Receiver
from lpad.simulator.mbim.message_handling import MbimFunction
from lpad.simulator.modem.control_port import ControlPort, Fault

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from uuid import UUID

    from lpad.codec.mbim.statuses import ProtocolError, Status
    from lpad.simulator.mbim.behaviour import MbimBehaviour
    from lpad.simulator.modem.commands import Card
    from lpad.simulator.modem.personality import ModemPersonality


class MbimModem(ControlPort[Message, MbimFunction]):
    """A modem in its own thread (see `ControlPort`)."""

    def __init__(
        self,
        card: Card,
        *,
        path: str | os.PathLike[str] | None = None,
        personality: ModemPersonality | None = None,
        behaviour: MbimBehaviour | None = None,
    ) -> None:
        """Switch a modem on.

        Args:
            card: the card in the modem's slot.
            path: where to put a symbolic link to the port's pty, or `unix:` and the path of a socket; None:
                the pty's own name only.
            personality: the modem's personality; its fields for an AT port have no effect.
            behaviour: the MBIM function's behaviour.

        Raises:
            InvalidValue: something else is at `path`.
        """
        function = MbimFunction(card, personality=personality, behaviour=behaviour)
        super().__init__(
            function,
            receiver=Receiver(types=TO_FUNCTION),
            encode=lambda message: encode(message, max_transfer=function.max_transfer),
            path=path,
            personality=personality,
        )

    def once(
        self,
        service: UUID | None = None,
        cid: int | None = None,
        *,
        executed: bool = True,
        lost: bool = False,
        delay: float = 0.0,
        before: bytes = b"",
        vanish: bool = False,
        forgets_open: bool = False,
        status: Status | None = None,
        error: ProtocolError | None = None,
    ) -> None:
        """Arm a fault for the next command of a service; several faults take effect in order.

        Args:
            service: the command's service; None: any message.
            cid: the command's number; None: any command of the service.
            executed: whether the command is carried out.
            lost: whether the answer to the command is never sent.
            delay: seconds by which the answer is delayed.
            before: bytes sent before the answer, such as noise.
            vanish: whether the port disappears in place of the answer.
            forgets_open: whether the modem restarts in place of the command, and answers NotOpened.
            status: the status with which the command is refused; None: it is accepted.
            error: the function error in place of the answer; None: no error.
        """

        def concerns(message: Message) -> bool:
            named = isinstance(message, Command) and message.service == service
            return service is None or (named and cid in (None, getattr(message, "cid", None)))

        self.arm(
            Fault(
                concerns=concerns,
                executed=executed,
                lost=lost,
                delay=delay,
                before=before,
                vanish=vanish,
                restarts=forgets_open,
                instead=_refusal(status, error),
            )
        )


def _refusal(status: Status | None, error: ProtocolError | None) -> Callable[[Message], Message] | None:
    if error is not None:
        return lambda message: FunctionError(transaction=message.transaction, error=error)
    if status is None:
        return None

    def refused(message: Message) -> Message:
        if not isinstance(message, Command):
            raise InternalError("only a command can be refused with a status")
        return CommandDone(
            transaction=message.transaction, service=message.service, cid=message.cid, status=status
        )

    return refused
