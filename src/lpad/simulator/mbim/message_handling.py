"""A simulated MBIM function around any card: messages in, messages out, without I/O."""

from __future__ import annotations

import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, ClassVar

from lpad.base.errors import CardUnreachable, MalformedError
from lpad.codec.mbim import basic_connect as basic
from lpad.codec.mbim import uicc_access as uicc
from lpad.codec.mbim.data_connection import (
    ActivationState,
    Connect,
    ConnectStatus,
    IpConfiguration,
    PacketServiceState,
    PacketServiceStatus,
)
from lpad.codec.mbim.framing import DEFAULT_TRANSFER, LEAST_TRANSFER
from lpad.codec.mbim.information_buffer import decode, encode
from lpad.codec.mbim.messages import (
    Action,
    Close,
    CloseDone,
    Command,
    CommandDone,
    FunctionError,
    Indication,
    Open,
    OpenDone,
)
from lpad.codec.mbim.services import BASIC_CONNECT, BASIC_CONNECT_EXTENSIONS, UICC, Basic, Extended, Uicc
from lpad.codec.mbim.statuses import ProtocolError, Status
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.device_services import device_services
from lpad.simulator.mbim.lte_attach_contexts import LteAttachContexts
from lpad.simulator.mbim.uicc_channels import UiccChannels, UiccRefusedError
from lpad.simulator.modem.commands import CommandSet
from lpad.simulator.modem.pdp_contexts import Context
from lpad.simulator.modem.personality import (
    DENIED,
    HOME,
    NOT_REGISTERED,
    ROAMING,
    SEARCHING,
    ModemPersonality,
)
from lpad.simulator.modem.watched_card import WatchedCard

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from lpad.codec.mbim.information_buffer import Information
    from lpad.codec.mbim.messages import Message
    from lpad.simulator.modem.commands import Card

_REGISTER_STATES = {
    NOT_REGISTERED: basic.RegisterState.DEREGISTERED,
    HOME: basic.RegisterState.HOME,
    SEARCHING: basic.RegisterState.SEARCHING,
    DENIED: basic.RegisterState.DENIED,
    ROAMING: basic.RegisterState.ROAMING,
}
_IP_TYPES = {0: "IP", 1: "IP", 2: "IPV6", 3: "IPV4V6", 4: "IPV4V6"}
_ANNOUNCED = "+CEREG"
_SIM_PIN = 2


class _RefusedError(Exception):
    """The MBIM function refuses a command with a status, and perhaps information."""

    def __init__(self, status: Status, information: Information | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.information = information


class MbimFunction:
    """The MBIM function of a modem."""

    def __init__(
        self,
        card: Card,
        *,
        personality: ModemPersonality | None = None,
        behaviour: MbimBehaviour | None = None,
    ) -> None:
        """Switch the MBIM function on.

        Args:
            card: the card in the slot `card_slot` of `behaviour`.
            personality: the modem's personality; its fields for an AT port have no effect.
            behaviour: the MBIM function's behaviour.
        """
        self._personality = personality or ModemPersonality()
        self.behaviour = behaviour or MbimBehaviour()
        self._card = WatchedCard(card, self._card_was_reset)
        self.modem = CommandSet(self._card, self._personality)
        self.channels = UiccChannels(self._transmit, self.behaviour)
        self._capabilities: tuple[bytes, ...] = ()
        self._told_capabilities: tuple[bytes, ...] = ()
        self._pass_through = 0
        self._slot = self.behaviour.mapped_slot
        self._inserted = True
        self._waiting: int | None = None
        self._atr = self._card.reset()
        self.channels.leak()
        self._lte_attach = LteAttachContexts(self.modem.contexts)
        self._session = False
        self._active = False
        self.opened = False
        """Whether a host has sent Open."""
        self.max_transfer = DEFAULT_TRANSFER
        self._commands = 0
        self._lost = False
        self._slot_starts_until = 0.0
        self._read = self.modem.radio.restarts
        self._pending: list[tuple[float, Basic]] = []
        self.restarts = False
        """Whether the modem was commanded to restart, so that its port disappears."""

    def receive(self, message: Message) -> list[Message]:
        """Process a message of the host; return the function's answers."""
        if isinstance(message, Open):
            return [self._open(message)]
        if not self.opened:
            return [FunctionError(transaction=message.transaction, error=ProtocolError.NOT_OPENED)]
        if isinstance(message, Close):
            self.opened = False
            return [CloseDone(transaction=message.transaction, status=Status.SUCCESS)]
        if not isinstance(message, Command):
            return []
        self._commands += 1
        if self.behaviour.forgets_open is not None and self._commands > self.behaviour.forgets_open:
            self._commands = 0
            self.lose_power()
            return [FunctionError(transaction=message.transaction, error=ProtocolError.NOT_OPENED)]
        answer = self._command(message)
        return [] if self._is_lost() else [answer]

    def _is_lost(self) -> bool:
        """Return whether the answer to the latest command must not be sent (see `lost_transaction`)."""
        lost = self._commands - 1 == self.behaviour.lost_transaction and not self._lost
        self._lost = self._lost or lost
        return lost

    def lose_power(self) -> None:
        """Restart the whole modem unannounced: the host's Open and all channels are forgotten."""
        self.opened = self._session = False
        self.modem.radio.reset()

    def disconnect(self) -> None:
        """Forget the host's Open, because the port has disappeared."""
        self.opened = False

    def settle(self) -> None:
        """Fetch the proactive command that the card announces, as a modem does after an answer."""
        if self._waiting is not None:
            length, self._waiting = self._waiting, None
            if self._personality.fetches_proactive:
                self.modem.serve_proactive(length)
        if self.modem.radio.restarts != self._read:
            self._read = self.modem.radio.restarts
            self._announce(Basic.SUBSCRIBER_READY_STATUS)

    @property
    def due(self) -> float | None:
        """The time of the next indication; None if no indication is due."""
        times = [at for at, _ in self._pending]
        registration = self.modem.registration.due
        if registration is not None and self.behaviour.indication_delay is not None:
            times.append(registration)
        return min(times, default=None)

    def indications(self) -> list[Message]:
        """Return the indications that are due."""
        if self.opened and self.modem.registration.news():
            self._announce(Basic.REGISTER_STATE)
        if self._active and not self._is_active:
            self._active = False
            self._announce(Basic.CONNECT)
        now = time.monotonic()
        ready = [cid for at, cid in self._pending if at <= now]
        self._pending = [each for each in self._pending if each[0] > now]
        if not self.opened:
            return []
        return [Indication(service=BASIC_CONNECT, cid=cid, info=encode(self._state_of(cid))) for cid in ready]

    def remove_card(self) -> None:
        """Take the card out of its slot."""
        self._inserted = False
        self.channels.forget()
        self._announce(Basic.SUBSCRIBER_READY_STATUS)

    def swap_card(self, card: Card) -> None:
        """Insert another card, or the previous card again."""
        self._inserted = True
        self._card.card = card
        self._atr = card.reset()
        self.channels.forget()
        self.modem.swap_card(self._card)

    def _open(self, message: Open) -> OpenDone:
        self.opened = True
        self.max_transfer = max(LEAST_TRANSFER, min(message.max_transfer, self.behaviour.max_transfer))
        if self.modem.registration.knows(_ANNOUNCED):
            self.modem.registration.set_level(_ANNOUNCED, 1)
        return OpenDone(transaction=message.transaction, status=Status.SUCCESS)

    def _command(self, command: Command) -> CommandDone:
        handler = self._HANDLERS.get((command.service, command.cid))
        status, info = Status.SUCCESS, b""
        if command.service == BASIC_CONNECT_EXTENSIONS and not self.behaviour.extensions:
            handler = None
        if handler is None:
            status = Status.NO_DEVICE_SUPPORT
        else:
            try:
                information = handler(self, command)
                told = b"" if information is None else information
                info = told if isinstance(told, bytes) else encode(told)
            except _RefusedError as refusal:
                status = refusal.status
                info = b"" if refusal.information is None else encode(refusal.information)
            except UiccRefusedError as refusal:
                status = refusal.status
            except MalformedError:
                status = Status.INVALID_PARAMETERS
            except CardUnreachable:
                status = Status.FAILURE
        return CommandDone(
            transaction=command.transaction,
            service=command.service,
            cid=command.cid,
            status=status,
            info=info,
        )

    def _announce(self, cid: Basic) -> None:
        if self.behaviour.indication_delay is not None:
            self._pending.append((time.monotonic() + self.behaviour.indication_delay, cid))

    def _state_of(self, cid: Basic) -> Information:
        if cid is Basic.REGISTER_STATE:
            return self._registration()
        if cid is Basic.CONNECT:
            return ConnectStatus(activation=ActivationState.DEACTIVATED)
        return self._subscriber()

    def _card_was_reset(self) -> None:
        self.channels.forget()
        self._told_capabilities = self._capabilities
        if self._capabilities:
            objects = b"".join(self._capabilities)
            value = bytes([0xA9, len(objects)]) + objects
            self._card.transmit(bytes([0x80, 0xAA, 0, 0, len(value)]) + value)

    def _transmit(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        if answer[-2] == 0x91:
            self._waiting = answer[-1]
        return answer

    @property
    def _has_card(self) -> bool:
        return self._inserted and self._slot == self.behaviour.card_slot

    def _need_card(self) -> None:
        if not self._has_card:
            raise _RefusedError(Status.SIM_NOT_INSERTED)
        if self._slot_starts:
            raise _RefusedError(Status.NOT_INITIALIZED)

    @property
    def _slot_starts(self) -> bool:
        """Whether the card in the new slot has not started yet."""
        return time.monotonic() < self._slot_starts_until

    # The commands.

    def _device_caps(self, _: Command) -> Information:
        told = self._personality
        return basic.DeviceCaps(
            device_id=told.imei, firmware=told.firmware, hardware=f"{told.manufacturer} {told.model}".strip()
        )

    def _subscriber_ready(self, _: Command) -> Information:
        return self._subscriber()

    def _subscriber(self) -> basic.SubscriberReadyStatus:
        if not self._has_card:
            return basic.SubscriberReadyStatus(ready_state=basic.ReadyState.SIM_NOT_INSERTED)
        if self._slot_starts:
            return basic.SubscriberReadyStatus(ready_state=basic.ReadyState.NOT_INITIALIZED)
        iccid = self.modem.radio.iccid()
        if iccid is None:
            state = (
                basic.ReadyState.NO_ESIM_PROFILE if self.behaviour.extensions else basic.ReadyState.FAILURE
            )
            return basic.SubscriberReadyStatus(ready_state=state)
        locked = str(iccid) in self.modem.pin_locked
        text = str(iccid).ljust(20, "F") if self._personality.iccid_padded else str(iccid)
        return basic.SubscriberReadyStatus(
            ready_state=basic.ReadyState.DEVICE_LOCKED if locked else basic.ReadyState.INITIALIZED,
            sim_iccid="" if locked and self._personality.pin_hides_iccid else text,
        )

    def _device_services(self, _: Command) -> bytes:
        commands: dict[UUID, list[int]] = {}
        for service, cid in self._HANDLERS:
            if service != BASIC_CONNECT_EXTENSIONS or self.behaviour.extensions:
                commands.setdefault(service, []).append(cid)
        return device_services(commands)

    def _radio_state(self, command: Command) -> Information:
        radio = self.modem.radio
        if command.action == Action.SET:
            radio.set_function(1 if decode(basic.SetRadioState, command.info).radio else 4)
        return basic.RadioState(hardware=1, software=int(radio.function == 1))

    def _pin(self, _: Command) -> Information:
        self._need_card()
        locked = str(self.modem.radio.iccid()) in self.modem.pin_locked
        return basic.PinStatus(pin_type=_SIM_PIN if locked else 0, pin_state=int(locked), attempts=3)

    def _register_state(self, _: Command) -> Information:
        if not self.behaviour.registration:
            raise _RefusedError(Status.NO_DEVICE_SUPPORT)
        return self._registration()

    def _registration(self) -> basic.RegistrationStatus:
        status = self.modem.registration.status() if self._has_card else NOT_REGISTERED
        cause = self.modem.contexts.emm_cause if self._personality.tells_reject_cause else None
        return basic.RegistrationStatus(state=_REGISTER_STATES[status], network_error=cause or 0)

    def _packet_service(self, command: Command) -> Information:
        contexts = self.modem.contexts
        if command.action == Action.SET:
            contexts.attached = decode(basic.SetPacketService, command.info).action == 0
            contexts.attaches += 1
        attached = contexts.attached and self.modem.registration.status() in (HOME, ROAMING)
        state = PacketServiceState.ATTACHED if attached else PacketServiceState.DETACHED
        return PacketServiceStatus(state=state)

    def _lte_attach_configuration(self, command: Command) -> Information:
        if not self.behaviour.lte_attach:
            raise _RefusedError(Status.NO_DEVICE_SUPPORT)
        if command.action == Action.SET and self.behaviour.lte_attach_fixed:
            raise _RefusedError(Status.NO_DEVICE_SUPPORT)
        return self._lte_attach.carry_out(command)

    def _open_in_addition(self, command: Command) -> Information:
        """Open, end or query a session in addition to the initial bearer; opening needs a registration."""
        contexts = self.modem.contexts
        registered = self.modem.registration.status() in (HOME, ROAMING)
        cause = None
        if command.action == Action.SET:
            wish = decode(Connect, command.info)
            named = (wish.user_name, wish.password) if wish.authentication else None
            wanted = Context(_IP_TYPES.get(wish.ip_type, "IP"), wish.apn, named)
            cause = contexts.refusal(wanted) if wish.activate else None
            self._session = bool(wish.activate) and registered and cause is None
            if wish.activate and not self._session:
                raise _RefusedError(
                    Status.FAILURE,
                    ConnectStatus(activation=ActivationState.DEACTIVATED, network_error=cause or 0),
                )
        self._active = active = self._session and registered
        return ConnectStatus(activation=ActivationState.ACTIVATED if active else ActivationState.DEACTIVATED)

    @property
    def _is_active(self) -> bool:
        """Whether the session is open; the end of the registration ends the session."""
        registered = self.modem.registration.status() in (HOME, ROAMING)
        return registered and (
            self._session if self.behaviour.lte_attach else self.modem.contexts.bearer is not None
        )

    def _connect(self, command: Command) -> Information:
        if self.behaviour.lte_attach:
            return self._open_in_addition(command)
        contexts = self.modem.contexts
        if command.action == Action.SET:
            wish = decode(Connect, command.info)
            if not wish.activate:
                contexts.bearer = None
            else:
                context = contexts.contexts.setdefault(1, Context())
                context.kind, context.apn = _IP_TYPES.get(wish.ip_type, "IP"), wish.apn
                named = (wish.user_name, wish.password)
                context.credentials = named if wish.authentication else None
                contexts.attaches += 1
        registered = self.modem.registration.status() in (HOME, ROAMING)
        self._active = active = contexts.bearer is not None and registered
        told = ConnectStatus(
            activation=ActivationState.ACTIVATED if active else ActivationState.DEACTIVATED,
            network_error=0 if active else contexts.esm_cause or 0,
        )
        if command.action == Action.SET and not active and decode(Connect, command.info).activate:
            raise _RefusedError(Status.FAILURE, told)
        return told

    def _ip_configuration(self, _: Command) -> Information:
        found = [ip_address(each) for each in self.modem.contexts.addresses]
        ipv4 = tuple(each for each in found if isinstance(each, IPv4Address))
        ipv6 = tuple(each for each in found if isinstance(each, IPv6Address))
        return IpConfiguration(
            ipv4=ipv4, ipv6=ipv6, ipv4_available=int(bool(ipv4)), ipv6_available=int(bool(ipv6))
        )

    def _sys_caps(self, _: Command) -> Information:
        return basic.SysCaps(slots=self.behaviour.slots)

    def _slot_mappings(self, command: Command) -> Information:
        if command.action == Action.SET:
            wished = decode(basic.SlotMappings, command.info).slots
            if len(wished) != 1 or wished[0] >= self.behaviour.slots:
                raise _RefusedError(Status.INVALID_PARAMETERS)
            if wished[0] != self._slot:
                self._slot = wished[0]
                self._slot_starts_until = time.monotonic() + self.behaviour.slot_start
                self._card.reset()
                self._announce(Basic.SUBSCRIBER_READY_STATUS)
        return basic.SlotMappings(slots=(self._slot,))

    def _slot_info(self, command: Command) -> Information:
        slot = decode(basic.SlotRequest, command.info).slot
        if slot >= self.behaviour.slots:
            raise _RefusedError(Status.INVALID_PARAMETERS)
        if slot != self.behaviour.card_slot or not self._inserted:
            state = basic.SlotState.EMPTY if slot == self._slot else basic.SlotState.OFF_EMPTY
        elif slot != self._slot:
            state = basic.SlotState.OFF
        elif self._slot_starts:
            state = basic.SlotState.NOT_READY
        elif self.modem.radio.iccid() is None:
            state = basic.SlotState.ACTIVE_ESIM_NO_PROFILES
        else:
            state = basic.SlotState.ACTIVE_ESIM
        return basic.SlotInfo(slot=slot, state=state)

    def _device_reset(self, command: Command) -> None:
        if command.action != Action.SET:
            raise _RefusedError(Status.NO_DEVICE_SUPPORT)
        self.restarts = True

    def _uicc_atr(self, _: Command) -> Information:
        self._need_card()
        return uicc.Atr(atr=self._atr)

    def _uicc_open(self, command: Command) -> Information:
        self._need_card()
        if self.behaviour.hides_isdr and uicc.LPA_CAPABILITY not in self._told_capabilities:
            raise _RefusedError(Status.SELECT_FAILED)
        return self.channels.open_channel(decode(uicc.OpenChannelRequest, command.info))

    def _uicc_close(self, command: Command) -> Information:
        request = decode(uicc.CloseChannelRequest, command.info)
        sw = self.channels.close(request.channel, request.group)
        return uicc.CloseChannelAnswer(status=uicc.status_number(sw))

    def _uicc_apdu(self, command: Command) -> Information:
        self._need_card()
        request = decode(uicc.ApduRequest, command.info)
        if len(request.apdu) > uicc.LONGEST_APDU:
            raise _RefusedError(Status.PARAMETER_TOO_LONG)
        answer = self.channels.transmit(request)
        return uicc.ApduAnswer(status=uicc.status_number(answer[-2:]), response=answer[:-2])

    def _uicc_terminal_capability(self, command: Command) -> Information:
        if command.action == Action.SET:
            self._capabilities = decode(uicc.TerminalCapability, command.info).objects
        elif self.behaviour.forgets_capabilities:
            return uicc.TerminalCapability(objects=())
        return uicc.TerminalCapability(objects=self._capabilities)

    def _uicc_reset(self, command: Command) -> Information:
        if command.action == Action.SET:
            self._pass_through = decode(uicc.ResetRequest, command.info).pass_through
            self._atr = self._card.reset()
        return uicc.ResetAnswer(pass_through=self._pass_through)

    _HANDLERS: ClassVar[dict[tuple[UUID, int], Callable[[Any, Command], Information | bytes | None]]] = {
        (BASIC_CONNECT, Basic.DEVICE_CAPS): _device_caps,
        (BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS): _subscriber_ready,
        (BASIC_CONNECT, Basic.DEVICE_SERVICES): _device_services,
        (BASIC_CONNECT, Basic.RADIO_STATE): _radio_state,
        (BASIC_CONNECT, Basic.PIN): _pin,
        (BASIC_CONNECT, Basic.REGISTER_STATE): _register_state,
        (BASIC_CONNECT, Basic.PACKET_SERVICE): _packet_service,
        (BASIC_CONNECT, Basic.CONNECT): _connect,
        (BASIC_CONNECT, Basic.IP_CONFIGURATION): _ip_configuration,
        (BASIC_CONNECT_EXTENSIONS, Extended.LTE_ATTACH_CONFIGURATION): _lte_attach_configuration,
        (BASIC_CONNECT_EXTENSIONS, Extended.SYS_CAPS): _sys_caps,
        (BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_SLOT_MAPPINGS): _slot_mappings,
        (BASIC_CONNECT_EXTENSIONS, Extended.SLOT_INFO_STATUS): _slot_info,
        (BASIC_CONNECT_EXTENSIONS, Extended.DEVICE_RESET): _device_reset,
        (UICC, Uicc.ATR): _uicc_atr,
        (UICC, Uicc.OPEN_CHANNEL): _uicc_open,
        (UICC, Uicc.CLOSE_CHANNEL): _uicc_close,
        (UICC, Uicc.APDU): _uicc_apdu,
        (UICC, Uicc.TERMINAL_CAPABILITY): _uicc_terminal_capability,
        (UICC, Uicc.RESET): _uicc_reset,
    }
