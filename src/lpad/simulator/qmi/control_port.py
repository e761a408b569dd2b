"""The control port of a simulated QMI modem, on a pty or on a Unix socket, with faults."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lpad.codec.qmi.framing import Direction, Message, encode
from lpad.codec.qmi.message_stream_splitting import Receiver
from lpad.simulator.modem.control_port import ControlPort, Fault
from lpad.simulator.qmi.message_handling import QmiFunction, response_to

if TYPE_CHECKING:
    import os

    from lpad.codec.qmi.errors import Error
    from lpad.codec.qmi.message_parameters import Body
    from lpad.simulator.modem.commands import Card
    from lpad.simulator.modem.personality import ModemPersonality
    from lpad.simulator.qmi.behaviour import QmiBehaviour


class QmiModem(ControlPort[Message, QmiFunction]):
    """A modem in its own thread (see `ControlPort`)."""

    def __init__(
        self,
        card: Card,
        *,
        path: str | os.PathLike[str] | None = None,
        personality: ModemPersonality | None = None,
        behaviour: QmiBehaviour | None = None,
    ) -> None:
        """Switch a modem on.

        Args:
            card: the card in the modem's slot.
            path: where to put a symbolic link to the port's pty, or `unix:` and the path of a socket; None:
                the pty's own name only.
            personality: the modem's personality; its fields for an AT port have no effect.
            behaviour: the control port's behaviour.

        Raises:
            InvalidValue: something else is at `path`.
        """
        super().__init__(
            QmiFunction(card, personality=personality, behaviour=behaviour),
            receiver=Receiver(Direction.TO_MODEM),
            encode=lambda message: (encode(message),),
            path=path,
            personality=personality,
        )

    def once(
        self,
        request: type[Body] | None = None,
        *,
        executed: bool = True,
        lost: bool = False,
        delay: float = 0.0,
        before: bytes = b"",
        vanish: bool = False,
        restarts: bool = False,
        error: Error | None = None,
    ) -> None:
        """Arm a fault for the next request of a type; several faults take effect in order.

        Args:
            request: the type of the request; None: any.
            executed: whether the request is carried out.
            lost: whether the answer to the request is never sent.
            delay: seconds by which the answer is delayed.
            before: bytes sent before the answer, such as noise.
            vanish: whether the port disappears in place of the answer.
            restarts: whether the modem restarts before the request, and forgets all clients.
            error: the error with which the request is refused; None: it is accepted.
        """

        def concerns(message: Message) -> bool:
            return request is None or (message.service, message.number) == (request.SERVICE, request.MESSAGE)

        self.arm(
            Fault(
                concerns=concerns,
                executed=executed,
                lost=lost,
                delay=delay,
                before=before,
                vanish=vanish,
                restarts=restarts,
                instead=None if error is None else partial(response_to, error=error),
            )
        )
