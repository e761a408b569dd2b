"""A simulated QMI modem around any card: messages in, messages out, without I/O."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from lpad.base.errors import CardUnreachable, MalformedError
from lpad.codec.qmi import card as uim
from lpad.codec.qmi import control, data_session, device, network_registration
from lpad.codec.qmi.errors import Error
from lpad.codec.qmi.framing import Kind, Message
from lpad.codec.qmi.message_parameters import decode, encode, encode_result
from lpad.codec.qmi.services import Service
from lpad.protocol.apdu import class_byte
from lpad.simulator.modem.card_channels import SUCCESS, CardChannels
from lpad.simulator.modem.commands import CommandSet
from lpad.simulator.modem.personality import (
    DENIED,
    HOME,
    NOT_REGISTERED,
    ROAMING,
    SEARCHING,
    ModemPersonality,
    Notices,
)
from lpad.simulator.modem.watched_card import WatchedCard
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.data_calls import DataCalls, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.qmi.message_parameters import Body
    from lpad.simulator.modem.commands import Card

_STATES = {
    NOT_REGISTERED: network_registration.RegistrationState.NOT_REGISTERED,
    HOME: network_registration.RegistrationState.REGISTERED,
    SEARCHING: network_registration.RegistrationState.SEARCHING,
    DENIED: network_registration.RegistrationState.DENIED,
    ROAMING: network_registration.RegistrationState.REGISTERED,
}
_VERSIONS = (
    (Service.CTL, 1, 5),
    (Service.WDS, 1, 67),
    (Service.DMS, 1, 14),
    (Service.NAS, 1, 25),
    (Service.UIM, 1, 46),
)
_GIVEN = (Service.WDS, Service.DMS, Service.NAS, Service.UIM)
"""The services whose requests need a client."""
_ANNOUNCED = "+CEREG"
_SLOT = 1
_LTE = 8
_DATA = 2
_USIM = bytes.fromhex("A0000000871002FFFFFFFF8907090000")
_EF_ICCID = 0x2FE2
_SELECT_P2 = {None: 0x00, 0: 0x0C, 1: 0x04}
_ISD_R = bytes.fromhex("A0000005591010")
_RESET_MODE = 0


@dataclass(slots=True)
class QmiClient:
    """A client that a host has allocated, and the indications that the host has requested for it."""

    events: int = 0
    refresh: bool = False
    serving_system: bool = False
    rejections: bool = False
    family: int = data_session.IpFamily.IPV4


@dataclass(slots=True)
class _Refreshing:
    """A refresh that waits for the clients that have registered for it."""

    length: int
    waiting: set[tuple[int, int]]
    until: float


class QmiFunction:
    """The control port of a QMI modem, without I/O."""

    def __init__(
        self,
        card: Card,
        *,
        personality: ModemPersonality | None = None,
        behaviour: QmiBehaviour | None = None,
    ) -> None:
        """Switch the modem on.

        Args:
            card: the card in the slot `card_slot` of `behaviour`.
            personality: the modem's personality; its fields for an AT port have no effect.
            behaviour: the control port's behaviour.
        """
        self._personality = personality or ModemPersonality()
        self.behaviour = behaviour or QmiBehaviour()
        self._card = WatchedCard(card, self._card_was_reset)
        self.modem = CommandSet(self._card, self._personality)
        self._on_card = CardChannels(self._transmit)
        self.calls = DataCalls(self.modem, self.behaviour)
        self.clients: dict[tuple[int, int], QmiClient] = {}
        """The allocated clients, by service and number."""
        self.channels: set[int] = set()
        """The numbers of the open channels."""
        self._slot = self.behaviour.mapped_slot
        self._slot_starts_until = 0.0
        self._inserted = True
        self._waiting: int | None = None
        self._refreshing: _Refreshing | None = None
        self.refreshes_unanswered = 0
        """The number of refreshes for which a registered client did not answer in time."""
        self._pending: list[tuple[float, Callable[[], list[Message]]]] = []
        self._token = 0
        self._messages = 0
        self.restarts = False
        """Whether the modem was commanded to restart, so that its port disappears."""
        self._offline = False
        self._atr = self._card.reset()
        for service in _GIVEN:
            for number in range(1, self.behaviour.leaked_clients + 1):
                self.clients[service, number] = QmiClient()
        for _ in range(self.behaviour.leaked_channels):
            opened = self._on_card.open()
            if opened is not None:
                self.channels.add(opened)
        self._read = self.modem.radio.restarts

    def receive(self, message: Message) -> list[Message]:
        """Process a message of the host; return the modem's answers."""
        if message.kind is not Kind.REQUEST:
            return []
        self._messages += 1
        if self._messages - 1 == self.behaviour.resets_after:
            self.lose_power()
        body: Body | None = None
        error = Error.NONE
        known = self._HANDLERS.get((message.service, message.number))
        if message.service != Service.CTL and (message.service, message.client) not in self.clients:
            error = Error.INVALID_CLIENT_ID
        elif known is None:
            error = Error.INVALID_QMI_COMMAND
        else:
            kind, handler = known
            try:
                body = handler(self, decode(kind, message.parameters), message)
            except RefusedError as refusal:
                error, body = refusal.error, refusal.body
            except MalformedError:
                error = Error.MISSING_ARGUMENT
            except CardUnreachable:
                error = Error.INTERNAL
        lost = self._messages - 1 == self.behaviour.lost_transaction
        return [] if lost else [response_to(message, error=error, body=body)]

    def lose_power(self) -> None:
        """Restart the whole modem unannounced: clients and channels are forgotten."""
        self.disconnect()
        self.modem.radio.reset()
        self._offline = False
        if self.behaviour.announces_reset:
            self._pending.append((0.0, lambda: [_indication(control.Sync(), 0)]))

    def disconnect(self) -> None:
        """Forget all clients, because the port has disappeared, the modem was reset, or a host sent Sync."""
        self.clients.clear()
        self.calls.forget_all()
        self._pending.clear()
        self._refreshing = None

    def settle(self) -> None:
        """Fetch the proactive command that the card announces, as a modem does after an answer."""
        if self._waiting is not None:
            length, self._waiting = self._waiting, None
            if self._personality.fetches_proactive:
                self._refresh(length)
        refreshing = self._refreshing
        if refreshing is not None:
            late = time.monotonic() >= refreshing.until
            if late or not refreshing.waiting:
                self.refreshes_unanswered += late
                self._refreshing = None
                self.modem.serve_proactive(refreshing.length)
                self._announce_refresh(uim.RefreshStage.END_SUCCESS)
        if self.modem.radio.restarts != self._read:
            self._read = self.modem.radio.restarts
            self._announce_card()

    @property
    def due(self) -> float | None:
        """The time of the next indication, or of a waiting refresh; None if neither is due."""
        times = [at for at, _ in self._pending]
        if self._refreshing is not None:
            times.append(self._refreshing.until)
        registration = self.modem.registration.due
        if registration is not None and self.behaviour.indication_delay is not None:
            times.append(registration)
        return min(times, default=None)

    def indications(self) -> list[Message]:
        """Return the indications that are due."""
        if self.modem.registration.news():
            self._announce(self._serving_system_indications)
            for client, change in self.calls.ended():
                self._announce(partial(list, (_indication(change, client),)))
        now = time.monotonic()
        ready = [make for at, make in self._pending if at <= now]
        self._pending = [each for each in self._pending if each[0] > now]
        return [message for make in ready for message in make()]

    def remove_card(self) -> None:
        """Take the card out of its slot."""
        self._inserted = False
        self.channels.clear()
        self._announce_card()

    def swap_card(self, card: Card) -> None:
        """Insert another card, or the previous card again."""
        self._inserted = True
        self._card.card = card
        self._atr = card.reset()
        self.channels.clear()
        self.modem.swap_card(self._card)

    def card_announces(self, length: int) -> None:
        """Act as if the card had announced a proactive command of `length` bytes (status word 91xx)."""
        self._refresh(length)

    def _refresh(self, length: int) -> None:
        """Fetch the command now, or after the clients that have registered for a refresh have agreed."""
        waiting = {key for key, client in self.clients.items() if client.refresh}
        if not waiting:
            self.modem.serve_proactive(length)
            return
        self._announce_refresh(uim.RefreshStage.START)
        self._refreshing = _Refreshing(length, waiting, time.monotonic() + self.behaviour.refresh_patience)

    def _announce_refresh(self, stage: uim.RefreshStage) -> None:
        event = uim.RefreshIndication(
            event=uim.RefreshEvent(stage=stage, mode=_RESET_MODE, session=uim.PRIMARY_SESSION)
        )
        self._announce(
            lambda: [_indication(event, number) for (_, number), each in self.clients.items() if each.refresh]
        )

    def _announce_card(self) -> None:
        self._announce(
            lambda: [
                _indication(body, number)
                for (_, number), each in self.clients.items()
                for wanted, body in (
                    (uim.Events.CARD_STATUS, uim.CardStatusIndication(status=self._cards())),
                    (uim.Events.SLOT_STATUS, uim.SlotStatusIndication(slots=self._slots())),
                )
                if each.events & wanted
            ]
        )

    def _serving_system_indications(self) -> list[Message]:
        status = self._registration()
        told = [
            _indication(status, number) for (_, number), each in self.clients.items() if each.serving_system
        ]
        cause = self.modem.contexts.emm_cause if self._personality.tells_reject_cause else None
        if cause is None:
            return told
        report = network_registration.EventReport(
            rejection=network_registration.Rejection(domain=_DATA, cause=cause)
        )
        return told + [
            _indication(report, number) for (_, number), each in self.clients.items() if each.rejections
        ]

    def _announce(self, make: Callable[[], list[Message]]) -> None:
        if self.behaviour.indication_delay is not None:
            self._pending.append((time.monotonic() + self.behaviour.indication_delay, make))

    def _card_was_reset(self) -> None:
        self.channels.clear()

    def _transmit(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        if answer[-2] == 0x91:
            self._waiting = answer[-1]
        return answer

    @property
    def _has_card(self) -> bool:
        return self._inserted and self._slot == self.behaviour.card_slot

    @property
    def _slot_starts(self) -> bool:
        """Whether the card in the new slot has not started yet."""
        return time.monotonic() < self._slot_starts_until

    def _need_card(self, slot: int) -> None:
        if slot != _SLOT:
            raise RefusedError(Error.INVALID_ARGUMENT)
        if not self._has_card or not self.modem.radio.sim_power:
            raise RefusedError(Error.NO_SIM)
        if self._slot_starts:
            raise RefusedError(Error.UIM_UNINITIALIZED)

    # Control.

    def _version_info(self, _: Any, __: Message) -> Body:
        return control.VersionInfo(
            services=tuple(
                control.Version(service=service, major=major, minor=minor)
                for service, major, minor in _VERSIONS
            )
        )

    def _allocate(self, request: control.AllocateClient, _: Message) -> Body:
        if request.service not in _GIVEN:
            raise RefusedError(Error.INVALID_ARGUMENT)
        for number in range(1, self.behaviour.clients + 1):
            if (request.service, number) not in self.clients:
                self.clients[request.service, number] = QmiClient()
                return control.AllocatedClient(client=control.Client(service=request.service, client=number))
        raise RefusedError(Error.CLIENT_IDS_EXHAUSTED)

    def _release(self, request: control.ReleaseClient, _: Message) -> Body:
        key = (request.client.service, request.client.client)
        if self.clients.pop(key, None) is None:
            raise RefusedError(Error.INVALID_CLIENT_ID)
        if key[0] == Service.WDS:
            self.calls.forget(key[1])
        if self._refreshing is not None:
            self._refreshing.waiting.discard(key)
        return request

    def _sync(self, _: Any, __: Message) -> None:
        self.disconnect()

    # Device.

    def _ids(self, _: Any, __: Message) -> Body:
        return device.Ids(imei=self._personality.imei)

    def _manufacturer(self, _: Any, __: Message) -> Body:
        return device.Manufacturer(name=self._personality.manufacturer)

    def _model(self, _: Any, __: Message) -> Body:
        return device.Model(name=self._personality.model)

    def _revision(self, _: Any, __: Message) -> Body:
        return device.Revision(name=self._personality.firmware)

    def _operating_mode(self, _: Any, __: Message) -> Body:
        if self._offline:
            return device.PresentOperatingMode(mode=device.OperatingMode.OFFLINE)
        on = self.modem.radio.function == 1
        mode = device.OperatingMode.ONLINE if on else device.OperatingMode.LOW_POWER
        return device.PresentOperatingMode(mode=mode)

    def _set_operating_mode(self, request: device.SetOperatingMode, _: Message) -> None:
        modes = device.OperatingMode
        if request.mode == modes.RESET:
            if self.behaviour.reset_needs_offline and not self._offline:
                raise RefusedError(Error.INCOMPATIBLE_STATE)
            self.restarts = True
        elif request.mode == modes.ONLINE and not self._offline:
            self.modem.radio.set_function(1)
        elif request.mode in (modes.LOW_POWER, modes.PERSISTENT_LOW_POWER, modes.OFFLINE):
            self._offline = self._offline or request.mode == modes.OFFLINE
            self.modem.radio.set_function(4)
        else:
            raise RefusedError(Error.INCOMPATIBLE_STATE)  # a modem leaves the offline mode only by a reset

    # Network.

    def _serving_system(self, _: Any, __: Message) -> Body:
        return self._registration()

    def _registration(self) -> network_registration.ServingSystemStatus:
        status = self.modem.registration.status() if self._has_card else NOT_REGISTERED
        registered = status in (HOME, ROAMING)
        attached = registered and self.modem.contexts.attached
        state = network_registration.Attached.ATTACHED if attached else network_registration.Attached.DETACHED
        return network_registration.ServingSystemStatus(
            system=network_registration.ServingSystem(
                registration=_STATES[status],
                circuit_switched=state,
                packet_switched=state,
                selected_network=int(registered),
                radio_interfaces=(_LTE,) if registered else (0,),
            ),
            roaming=int(status != ROAMING) if registered else None,
        )

    def _register_indications(
        self, request: network_registration.RegisterIndications, message: Message
    ) -> None:
        self.clients[message.service, message.client].serving_system = bool(request.serving_system)
        if self.modem.registration.knows(_ANNOUNCED):
            self.modem.registration.set_level(_ANNOUNCED, 1)

    def _set_event_report(self, request: network_registration.SetEventReport, message: Message) -> None:
        self.clients[message.service, message.client].rejections = bool(request.rejections)

    def _attach_detach(self, request: network_registration.AttachDetach, _: Message) -> None:
        self.modem.contexts.attached = request.action == network_registration.ATTACH
        self.modem.contexts.attaches += 1

    # Data.

    def _set_ip_family(self, request: data_session.SetIpFamily, message: Message) -> None:
        if not self.behaviour.ip_families:
            raise RefusedError(Error.INVALID_QMI_COMMAND)
        if request.family not in tuple(data_session.IpFamily):
            raise RefusedError(Error.INVALID_ARGUMENT)
        self.clients[message.service, message.client].family = request.family

    def _start_network(self, request: data_session.StartNetwork, message: Message) -> Body:
        self._need_data_sessions()
        return self.calls.start(message.client, self._family_of(message), request)

    def _stop_network(self, request: data_session.StopNetwork, message: Message) -> None:
        self._need_data_sessions()
        self.calls.stop(message.client, request)

    def _packet_service_status(self, _: Any, message: Message) -> Body:
        self._need_data_sessions()
        return self.calls.status(message.client, self._family_of(message))

    def _current_settings(self, request: data_session.GetCurrentSettings, message: Message) -> Body:
        self._need_data_sessions()
        return self.calls.settings(message.client, self._family_of(message), request)

    def _need_data_sessions(self) -> None:
        if not self.behaviour.data_sessions:
            raise RefusedError(Error.INVALID_QMI_COMMAND)

    def _family_of(self, message: Message) -> int:
        return self.clients[message.service, message.client].family

    # Card.

    def _cards(self) -> uim.Cards:
        if not self._has_card or not self.modem.radio.sim_power:
            return uim.Cards(cards=(uim.Card(state=uim.CardState.ABSENT),))
        iccid = self.modem.radio.iccid()
        if iccid is None:  # without a profile, no USIM can start
            state = uim.CardState.ABSENT if self._slot_starts else uim.CardState.PRESENT
            return uim.Cards(cards=(uim.Card(state=state),))
        ready = uim.AppState.PIN_REQUIRED if str(iccid) in self.modem.pin_locked else uim.AppState.READY
        app_state = uim.AppState.DETECTED if self._slot_starts else ready
        usim = uim.App(type=uim.AppType.USIM, state=app_state, aid=_USIM)
        return uim.Cards(cards=(uim.Card(state=uim.CardState.PRESENT, apps=(usim,)),), primary=0)

    def _iccid(self) -> bytes:
        """Return the ICCID as in the card's file; empty if the modem has read none."""
        readable = self.modem.radio.sim_power and not self._slot_starts
        iccid = self.modem.radio.iccid() if readable else None
        if iccid is None or (str(iccid) in self.modem.pin_locked and self._personality.pin_hides_iccid):
            return b""
        return bytes(iccid)

    def _slots(self) -> tuple[uim.PhysicalSlot, ...]:
        slots = []
        for number in range(1, self.behaviour.slots + 1):
            active = number == self._slot
            has = self._inserted and number == self.behaviour.card_slot
            slots.append(
                uim.PhysicalSlot(
                    card=uim.PhysicalCard.PRESENT if has else uim.PhysicalCard.ABSENT,
                    active=int(active),
                    logical=int(active),
                    iccid=self._iccid() if has and active else b"",
                )
            )
        return tuple(slots)

    def _card_status(self, _: Any, __: Message) -> Body:
        return uim.CardStatus(status=self._cards())

    def _slot_status(self, _: Any, __: Message) -> Body:
        if not self.behaviour.slot_status:
            raise RefusedError(Error.NOT_SUPPORTED)
        information = tuple(
            uim.SlotInformation(protocol=2, apps=1, atr=self._atr, euicc=1)
            if self._inserted and number == self.behaviour.card_slot
            else uim.SlotInformation(protocol=0, apps=0, atr=b"", euicc=0)
            for number in range(1, self.behaviour.slots + 1)
        )
        return uim.SlotStatus(slots=self._slots(), information=information)

    def _switch_slot(self, request: uim.SwitchSlot, _: Message) -> None:
        if request.logical != _SLOT or not 1 <= request.physical <= self.behaviour.slots:
            raise RefusedError(Error.INVALID_ARGUMENT)
        if request.physical == self._slot:
            raise RefusedError(Error.NO_EFFECT)
        self._slot = request.physical
        self._slot_starts_until = time.monotonic() + self.behaviour.slot_start
        self._card.reset()
        self.modem.radio.happened(Notices.RESET)

    def _register_events(self, request: uim.RegisterEvents, message: Message) -> Body:
        granted = request.mask & (uim.Events.CARD_STATUS | uim.Events.SLOT_STATUS)
        self.clients[message.service, message.client].events = granted
        return uim.RegisteredEvents(mask=granted)

    def _refresh_register(self, request: uim.RefreshRegisterAll, message: Message) -> None:
        self.clients[message.service, message.client].refresh = bool(request.register)

    def _refresh_complete(self, _: uim.RefreshComplete, message: Message) -> None:
        if self._refreshing is None:
            raise RefusedError(Error.NO_EFFECT)
        self._refreshing.waiting.discard((message.service, message.client))

    def _power_off(self, request: uim.PowerOff, _: Message) -> None:
        if request.slot != _SLOT:
            raise RefusedError(Error.INVALID_ARGUMENT)
        if not self.modem.radio.sim_power:
            raise RefusedError(Error.NO_EFFECT)
        self.modem.radio.set_sim_power(on=False)
        self.channels.clear()

    def _power_on(self, request: uim.PowerOn, _: Message) -> None:
        if request.slot != _SLOT:
            raise RefusedError(Error.INVALID_ARGUMENT)
        if self.modem.radio.sim_power:
            raise RefusedError(Error.NO_EFFECT)
        self.modem.radio.set_sim_power(on=True)

    def _change_session(self, request: uim.ChangeProvisioningSession, _: Message) -> None:
        self._need_card(_SLOT)
        if request.session.activate:
            if request.app is None or request.app.aid != _USIM:
                raise RefusedError(Error.INVALID_ARGUMENT)
            self.modem.radio.happened(Notices.REFRESH)

    def _read_transparent(self, request: uim.ReadTransparent, _: Message) -> Body:
        self._need_card(_SLOT)
        iccid = self._iccid()
        if request.file.number != _EF_ICCID or not iccid:
            sw = uim.StatusWord(sw1=0x6A, sw2=0x82)
            raise RefusedError(Error.SIM_FILE_NOT_FOUND, uim.FileContent(sw=sw))
        return uim.FileContent(sw=uim.StatusWord(sw1=0x90, sw2=0), data=iccid)

    def _get_atr(self, request: uim.GetAtr, _: Message) -> Body:
        self._need_card(request.slot)
        return uim.Atr(atr=self._atr)

    def _open_channel(self, request: uim.OpenLogicalChannel, _: Message) -> Body:
        self._need_card(request.slot)
        if self.behaviour.bars_isdr and request.aid.startswith(_ISD_R):
            raise RefusedError(Error.ACCESS_DENIED)
        number = self._on_card.open() if len(self.channels) < self.behaviour.channels else None
        if number is None:
            raise RefusedError(Error.INSUFFICIENT_RESOURCES)
        answer = self._on_card.select(number, request.aid, _SELECT_P2.get(request.file_control, 0x00))
        if answer[-2] not in SUCCESS:
            self._on_card.close(number)
            sw = uim.StatusWord(sw1=answer[-2], sw2=answer[-1]) if self.behaviour.tells_status_word else None
            raise RefusedError(Error.SIM_FILE_NOT_FOUND, uim.OpenedLogicalChannel(sw=sw))
        self.channels.add(number)
        return uim.OpenedLogicalChannel(
            channel=number,
            sw=uim.StatusWord(sw1=0x90, sw2=0),
            response=self._on_card.fetched(answer, number),
        )

    def _close_channel(self, request: uim.CloseLogicalChannel, _: Message) -> Body:
        self._need_card(request.slot)
        if request.channel not in self.channels:
            raise RefusedError(Error.INVALID_ARGUMENT)
        self.channels.discard(request.channel)
        sw = self._on_card.close(request.channel)
        return uim.ClosedLogicalChannel(sw=uim.StatusWord(sw1=sw[0], sw2=sw[1]))

    def _send_apdu(self, request: uim.SendApdu, message: Message) -> Body:
        self._need_card(request.slot)
        number = request.channel
        if number is None or number not in self.channels or len(request.apdu) < 4:
            raise RefusedError(Error.INVALID_ARGUMENT)
        apdu = request.apdu
        if self.behaviour.builds_class:
            apdu = bytes([class_byte(apdu[0] & 0x80, number)]) + apdu[1:]
        answer = self._transmit(apdu)
        if self.behaviour.fetches_response:
            answer = self._on_card.whole(apdu, answer, number)
        limit = self.behaviour.long_response
        if limit is None or len(answer) <= limit:
            return uim.ApduAnswer(response=answer)
        self._token += 1
        self._say_in_pieces(answer, message.client, limit)
        told = uim.ApduAnswer(long=uim.LongResponse(total=len(answer), token=self._token))
        if self.behaviour.long_response_fails:
            raise RefusedError(Error.INSUFFICIENT_RESOURCES, told)
        return told

    def _say_in_pieces(self, answer: bytes, client: int, size: int) -> None:
        starts = list(range(0, len(answer), size))
        for at in starts[: -1 if self.behaviour.loses_piece else None]:
            piece = uim.ResponsePiece(
                token=self._token, total=len(answer), offset=at, data=answer[at : at + size]
            )
            made = _indication(uim.ApduIndication(piece=piece), client)
            self._pending.append((0.0, lambda made=made: [made]))  # type: ignore[misc]  # the default binds `made`

    _HANDLERS: ClassVar[dict[tuple[int, int], tuple[type[Any], Callable[..., Body | None]]]] = {
        (kind.SERVICE, kind.MESSAGE): (kind, handler)
        for kind, handler in (
            (control.GetVersionInfo, _version_info),
            (control.AllocateClient, _allocate),
            (control.ReleaseClient, _release),
            (control.Sync, _sync),
            (device.GetIds, _ids),
            (device.GetManufacturer, _manufacturer),
            (device.GetModel, _model),
            (device.GetRevision, _revision),
            (device.GetOperatingMode, _operating_mode),
            (device.SetOperatingMode, _set_operating_mode),
            (network_registration.GetServingSystem, _serving_system),
            (network_registration.RegisterIndications, _register_indications),
            (network_registration.SetEventReport, _set_event_report),
            (network_registration.AttachDetach, _attach_detach),
            (data_session.SetIpFamily, _set_ip_family),
            (data_session.StartNetwork, _start_network),
            (data_session.StopNetwork, _stop_network),
            (data_session.GetPacketServiceStatus, _packet_service_status),
            (data_session.GetCurrentSettings, _current_settings),
            (uim.GetCardStatus, _card_status),
            (uim.GetSlotStatus, _slot_status),
            (uim.SwitchSlot, _switch_slot),
            (uim.RegisterEvents, _register_events),
            (uim.RefreshRegisterAll, _refresh_register),
            (uim.RefreshComplete, _refresh_complete),
            (uim.PowerOff, _power_off),
            (uim.PowerOn, _power_on),
            (uim.ChangeProvisioningSession, _change_session),
            (uim.ReadTransparent, _read_transparent),
            (uim.GetAtr, _get_atr),
            (uim.OpenLogicalChannel, _open_channel),
            (uim.CloseLogicalChannel, _close_channel),
            (uim.SendApdu, _send_apdu),
        )
    }


def response_to(request: Message, *, error: Error, body: Body | None = None) -> Message:
    """Return a modem's response to a request."""
    return Message(
        kind=Kind.RESPONSE,
        service=request.service,
        client=request.client,
        transaction=request.transaction,
        number=request.number,
        parameters=(encode_result(error), *(() if body is None else encode(body))),
    )


def _indication(body: Body, client: int) -> Message:
    """Return an indication for a client; client 0 is that of the control service."""
    return Message(
        kind=Kind.INDICATION,
        service=body.SERVICE,
        client=client,
        transaction=0,
        number=body.MESSAGE,
        parameters=encode(body),
    )
