"""The applier `at`: contexts and authentication on the modem's AT port, which lpad holds during a switch.

Context 1 gets the initial bearer's APN. If the connection has the same APN, as is usual, only context 1 is
used; otherwise context 2 gets the connection's APN. A changed context 1 takes effect at the next attach, so
the modem is detached and attached again. On a control port (MBIM, QMI), the modem's data session replaces the
contexts.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lpad.base.errors import CardError, InvalidValue
from lpad.base.untrusted_number import whole_number
from lpad.network.applier_interface import Applied, Connection, Failed, Sight, State, TryAgain
from lpad.network.connection_layer_names import Layer
from lpad.network.data_session_applier import (
    look_at_session,
    open_at_once,
    open_session,
    remember,
    restore,
    verify_session,
)
from lpad.network.network_settings import Authentication, IpType
from lpad.network.reject_cause import Cause, Procedure
from lpad.protocol import pdp_context_commands as commands
from lpad.protocol.at_dialogue import AtCommand
from lpad.protocol.pdp_context_commands import ATTACH_CONTEXT, PdpContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import DataSession, Dialogue, Outcome, Wanted
    from lpad.network.network_settings import NetworkSettings
    from lpad.protocol.at_dialogue import AtAnswer

_log = logging.getLogger(__name__)

_OWN_CONTEXT = 2
"""The connection's context if the initial bearer has a different APN."""
_KINDS = {IpType.IPV4: "IP", IpType.IPV6: "IPV6", IpType.IPV4V6: "IPV4V6"}
_AUTHENTICATION = {Authentication.NONE: 0, Authentication.PAP: 1, Authentication.CHAP: 2}
_MEMORY = "context-"
_NO_MODEM = Applied(told="the card is in a reader, so there is no modem whose APN could be set")
"""The result for a card in a reader, because a switch must not fail for lack of a modem."""
_MODEM_OF_OTHERS = Failed(
    layer=Layer.MODEM,
    told="the modem belongs to another program, so no AT command can set an APN; use another applier",
)


class _Refused(Exception):
    """The modem refused a necessary command."""

    def __init__(self, command: str, final: str) -> None:
        super().__init__(command)
        self.outcome = Failed(
            layer=Layer.MODEM,
            told=f"the modem refuses {command} ({final}); set the APN in the program that makes the"
            " connection, and choose another applier",
        )


class AtApplier:
    """Sets the modem's contexts for the program that dials, or opens the data session on a control port."""

    name = "at"
    reconnects = False
    signals = ()

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Return the present contexts, or the initial bearer's settings, for `undo`."""

        def act(dialogue: Dialogue) -> Outcome:
            stored = _contexts(dialogue, deadline)
            memory = {
                f"{_MEMORY}{cid}": f"{each.kind},{each.apn}"
                for cid, each in stored.items()
                if cid <= _OWN_CONTEXT
            }
            return Applied(told="the modem's contexts are remembered", memory=memory)

        return _with_modem(
            wanted, act, over_session=lambda session: remember(session, deadline=deadline), deadline=deadline
        )

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Store the contexts, and attach again if needed; on a control port, try to open the data session."""
        return _with_modem(
            wanted,
            lambda dialogue: _apply(dialogue, wanted.settings, deadline),
            over_session=lambda session: open_at_once(session, wanted.settings, deadline=deadline),
            deadline=deadline,
        )

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Open the session on a control port; on an AT port, the modem or the dialling program connects."""
        opened = _over_session(
            wanted,
            lambda session: open_session(session, wanted.settings, deadline=deadline),
            deadline=deadline,
        )
        return opened or Applied(told="the modem itself or the program that dials makes the connection")

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Compare the modem's contexts, or its data session on a control port, with the settings."""

        def act(dialogue: Dialogue) -> Outcome:
            stored = _contexts(dialogue, deadline)
            differing = [each for each in _wanted(wanted.settings) if not _same(stored.get(each.cid), each)]
            if not differing:
                return Applied(told="the modem's contexts match the settings")
            overridden = _overridden(dialogue, deadline)
            return Failed(
                layer=Layer.MODEM,
                told=f"the modem's context {differing[0].cid} does not match the settings{overridden}",
            )

        return _with_modem(
            wanted,
            act,
            over_session=lambda session: verify_session(session, wanted.settings, deadline=deadline),
            deadline=deadline,
        )

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
        """Restore the contexts, or the initial bearer's settings, from `prepare`."""
        remembered = [found for name, value in memory.items() if (found := _remembered(name, value))]
        if not memory:
            return Applied(told="none of the modem's contexts was remembered")

        def act(dialogue: Dialogue) -> Outcome:
            stored = _contexts(dialogue, deadline)
            changed = [each for each in remembered if not _same(stored.get(each.cid), each)]
            for each in changed:
                _must(dialogue, each.command, deadline, name="AT+CGDCONT")
            if any(each.cid == ATTACH_CONTEXT for each in changed):
                _attach_anew(dialogue, deadline)
            return Applied(told="the modem's contexts are as before the switch")

        return _with_modem(
            wanted,
            act,
            over_session=lambda session: restore(session, memory, deadline=deadline),
            deadline=deadline,
        )

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:  # noqa: ARG002 - required by the protocol
        """Do nothing: the modem stores no settings per profile."""
        return Applied(told="the modem stores no settings per profile")

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        """Return the state of the data session on a control port; on an AT port, that of context 1."""
        modem = wanted.modem
        if modem is None or deadline.passed:
            return Connection()
        try:
            with modem.session(deadline=deadline) as session:
                if session is not None:
                    return look_at_session(session, deadline=deadline)
            with modem.dialogue(deadline=deadline) as dialogue:
                return Connection() if dialogue is None else _look(dialogue, deadline)
        except CardError as error:
            _log.info("cannot check the bearer: %s", error)
            return Connection()


def _over_session(
    wanted: Wanted, act: Callable[[DataSession], Outcome], *, deadline: Deadline
) -> Outcome | None:
    """Return the result of `act` on the modem's data session; None without a modem or a control port."""
    if wanted.modem is None:
        return None
    try:
        with wanted.modem.session(deadline=deadline) as session:
            return None if session is None else act(session)
    except CardError as error:
        return TryAgain(told=error.sentence, layer=Layer.MODEM)


def _with_modem(
    wanted: Wanted,
    act: Callable[[Dialogue], Outcome],
    *,
    over_session: Callable[[DataSession], Outcome],
    deadline: Deadline,
) -> Outcome:
    if wanted.modem is None:
        return _NO_MODEM
    if (done := _over_session(wanted, over_session, deadline=deadline)) is not None:
        return done
    try:
        with wanted.modem.dialogue(deadline=deadline) as dialogue:
            return _MODEM_OF_OTHERS if dialogue is None else act(dialogue)
    except _Refused as refused:
        return refused.outcome
    except InvalidValue as error:
        return Failed(layer=Layer.MODEM, told=error.sentence)
    except CardError as error:
        return TryAgain(told=error.sentence, layer=Layer.MODEM)


def _apply(dialogue: Dialogue, settings: NetworkSettings, deadline: Deadline) -> Outcome:
    stored = _contexts(dialogue, deadline)
    changed = set()
    for each in _wanted(settings):
        if not _same(stored.get(each.cid), each):
            _must(dialogue, each.command, deadline, name="AT+CGDCONT")
            changed.add(each.cid)
        changed |= _authenticate(dialogue, each, settings, deadline)
    if ATTACH_CONTEXT in changed:
        _attach_anew(dialogue, deadline)
    else:
        _attach_again(dialogue, deadline)
    after = _contexts(dialogue, deadline)
    lost = [each for each in _wanted(settings) if not _same(after.get(each.cid), each)]
    if lost:
        return Failed(
            layer=Layer.MODEM,
            told=f"the modem has overwritten context {lost[0].cid}{_overridden(dialogue, deadline)}",
        )
    apn = settings.apn or "the network's default APN"
    return Applied(told=f"the modem's contexts use {apn}" + (", attached again" if changed else ""))


def _wanted(settings: NetworkSettings) -> list[PdpContext]:
    kind = _KINDS[settings.ip]
    attach = settings.attach_apn
    if attach == settings.apn:
        return [PdpContext(ATTACH_CONTEXT, kind, settings.apn)]
    first = [] if attach is None else [PdpContext(ATTACH_CONTEXT, kind, attach)]
    return [*first, PdpContext(_OWN_CONTEXT, kind, settings.apn)]


def _same(stored: PdpContext | None, wanted: PdpContext) -> bool:
    """Return whether a stored context is the wanted one; an APN's case does not matter (TS 23.003, 9.1)."""
    if stored is None:
        return False
    return (stored.kind, stored.apn.casefold()) == (wanted.kind, wanted.apn.casefold())


def _contexts(dialogue: Dialogue, deadline: Deadline) -> dict[int, PdpContext]:
    return commands.contexts_told(_must(dialogue, commands.CONTEXTS, deadline, name="AT+CGDCONT?"))


def _must(dialogue: Dialogue, command: AtCommand, deadline: Deadline, *, name: str) -> AtAnswer:
    answer = dialogue.ask(command, deadline=deadline)
    if not answer.ok:
        raise _Refused(name, answer.final)
    return answer


def _authenticate(
    dialogue: Dialogue, context: PdpContext, settings: NetworkSettings, deadline: Deadline
) -> set[int]:
    """Store or clear a context's authentication; return the number of a context that may have changed.

    No modem reports a stored password, so a password counts as changed.
    """
    kind = _AUTHENTICATION[settings.authentication]
    if context.apn != settings.apn:
        kind = 0  # the initial bearer has its own APN, for which there are no credentials
    command = commands.authentication(
        dialogue.authentication_command,
        context,
        kind=kind,
        username=settings.username if kind else "",
        password=settings.password if kind else "",
    )
    name = command.text.partition("=")[0]
    if kind:
        _must(dialogue, command, deadline, name=name)
        return {context.cid}
    if not dialogue.ask(command, deadline=deadline).ok:
        _log.debug("the modem refuses %s; it stores no authentication", name)
    return set()


def _attach_anew(dialogue: Dialogue, deadline: Deadline) -> None:
    if not dialogue.attach_anew(deadline=deadline):
        raise _Refused("to detach and attach (AT+CGATT, AT+CFUN)", "ERROR")


def _attach_again(dialogue: Dialogue, deadline: Deadline) -> None:
    """Attach the modem if it is detached, for instance because an earlier attempt was interrupted."""
    answer = dialogue.ask(commands.ATTACHED, deadline=deadline)
    if answer.ok and commands.is_attached(answer) is False:
        _attach_anew(dialogue, deadline)


def _overridden(dialogue: Dialogue, deadline: Deadline) -> str:
    """Return a remark on the operator's configuration, which some modems load for the card and prefer."""
    for text, active in dialogue.operator_configuration.items():
        prefix = text.removeprefix("AT").partition("=")[0].rstrip("?")
        answer = dialogue.ask(AtCommand(text, prefix=prefix), deadline=deadline)
        if answer.ok and any(active in line.replace(" ", "") for line in answer.lines):
            return (
                f": its operator configuration is selected by the card ({text} answers {active}) and"
                " overrides the APN; switch that off in the modem, or leave the APN empty"
            )
    return ": an operator configuration in the modem, or another program, may override the APN"


def _remembered(name: str, value: str) -> PdpContext | None:
    cid = whole_number(name.removeprefix(_MEMORY), least=1, most=_OWN_CONTEXT)
    kind, comma, apn = value.partition(",")
    if not name.startswith(_MEMORY) or cid is None or not comma or kind not in _KINDS.values():
        return None
    return PdpContext(cid, kind, apn)


def _look(dialogue: Dialogue, deadline: Deadline) -> Connection:
    cid = ATTACH_CONTEXT
    active = dialogue.ask(commands.ACTIVE, deadline=deadline)
    up = commands.is_active(active, cid) if active.ok else None
    if up is None:
        return Connection()
    if not up:
        report = dialogue.ask(commands.ERROR_REPORT, deadline=deadline)
        code = commands.esm_cause_told(report) if report.ok else None
        cause = None if code is None else Cause(Procedure.ESM, code)
        told = "context 1 is not active" + ("" if cause is None else f": {cause}")
        return Connection(bearer=Sight(state=State.DOWN, told=told, cause=cause))
    bearer = Sight(state=State.UP, told="context 1 is active")
    answer = dialogue.ask(commands.addresses_of(cid), deadline=deadline)
    if not answer.ok:
        return Connection(bearer=bearer)
    addresses = commands.addresses_told(answer)
    sight = Sight(
        state=State.UP if addresses else State.DOWN,
        told=", ".join(addresses) or "the modem reports no address",
    )
    return Connection(bearer=bearer, address=sight, addresses=addresses)
