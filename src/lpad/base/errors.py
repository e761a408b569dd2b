"""All of lpad's errors, as one tree.

    LpadError
    ├── RequestError             the request cannot be carried out
    │   ├── InvalidValue             an argument, setting or identifier breaks its grammar
    │   │   ├── InvalidActivationCode
    │   │   └── InvalidSettings
    │   ├── NotFound                 no such object, such as a card or a change
    │   ├── Conflict                 valid, but impossible in the present state
    │   │   ├── Protected                the settings protect the profile, or require one to be enabled
    │   │   ├── WouldGoOffline           the request does not accept that the device goes offline
    │   │   └── SwitchLimit              the limit of switches is reached        (retryable)
    │   ├── NotPermitted             the caller's user or group may not do this
    │   ├── KeyReused                an idempotency key already belongs to another request
    │   ├── TooManyChanges           the card's queue is full                   (retryable)
    │   ├── TooManyConnections       too many open connections                  (retryable)
    │   ├── ConfirmationCodeRequired the operator requires a confirmation code, and none was given
    │   ├── Declined                 the caller rejected the profile, or did not answer
    │   │   └── PolicyRefused            a policy forbids a server or a profile
    │   └── Cancelled                the caller cancelled the change
    ├── CardError                the eUICC, or the connection to it
    │   ├── CardUnreachable          no port, no answer, or out of time         (retryable)
    │   ├── CardBusy                 held by another program, or card busy      (retryable)
    │   ├── CardServed               the settings list this card twice
    │   ├── CardStatus               status word other than success
    │   ├── CardRefused              an ES10 function answered with its error code
    │   └── CardMalformed            the answer breaks its grammar
    ├── ServerError              an SM-DP+, SM-DS or platform, or the connection to it
    │   ├── ServerUnreachable        no connection, or no answer in time        (retryable)
    │   ├── ServerFailed             the server answers HTTP 5xx                (retryable)
    │   ├── ServerUntrusted          TLS, or the server's identity, cannot be verified
    │   ├── ClockNotSet              this device does not know the time, so TLS cannot be verified (retryable)
    │   ├── ServerRefused            a function answered Failed, with subject and reason code
    │   ├── ServerMalformed          the answer breaks its grammar or contradicts itself
    │   ├── ServerListsEvents        the server that lpad asked for a profile is an SM-DS
    │   ├── PlatformRefused          an operator's platform refused a request, and gave a reason
    │   ├── PlatformBusy             an operator's platform asks to retry later   (retryable)
    │   └── PlatformUnclear          no answer shows whether the request was carried out (retryable)
    ├── SwitchRolledBack         a guard was not met; the previous profile, or a fallback, is enabled
    ├── NetworkFailed            an applier or a hook failed before a switch, which was not begun
    ├── SwitchStuck              a guard was not met, and no other profile could be enabled
    ├── MalformedError           bytes break their grammar; the caller turns this error
    │                            into CardMalformed or ServerMalformed
    └── InternalError            a fault in lpad itself
        └── JournalUnavailable       the journal cannot be written, so lpad changes no card (retryable)

`kind` is stable and appears unchanged in the log, the journal and the API. `details` contains the facts that
a program needs (status word, error code's name, subject code); the class states their types. The sentence
states what was attempted, what happened, and what the reader can do.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_type_hints

from lpad.base.error_details import card, request_and_switch, server_and_platform  # noqa: TC001 - get_type_hints reads them at run time
from lpad.base.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator


class LpadError(Exception):
    """The root of all errors: a sentence, a `kind`, whether a retry may succeed, and details."""

    kind: ClassVar[str] = "error"
    details: request_and_switch.Details
    retryable: bool = False

    def __init__(self, sentence: str, *, retryable: bool | None = None, **details: str | int) -> None:
        """Create the error with its sentence.

        Args:
            sentence: what was attempted, what happened, what the reader can do; without secrets. Identifiers
                in the sentence are reduced to their last four digits; put complete ones into `details`.
            retryable: overrides the class's value; None: that value applies.
            details: facts, by the names and types in the class's `details`.
        """
        self.sentence = redacted(sentence)
        super().__init__(self.sentence)
        self.details = cast("Any", details)
        if retryable is not None:
            self.retryable = retryable


class RequestError(LpadError):
    """The request cannot be carried out."""

    kind = "bad-request"


class InvalidValue(RequestError):
    """An argument, setting or identifier breaks its grammar."""

    kind = "invalid-value"


class InvalidActivationCode(InvalidValue):
    """An activation code breaks the grammar of SGP.22 v2.5, 4.1."""

    kind = "invalid-activation-code"


class InvalidSettings(InvalidValue):
    """The settings file is unreadable, or a setting is unknown, out of range or unusable."""

    kind = "invalid-settings"
    details: request_and_switch.SettingsDetails


class NotFound(RequestError):
    """The request names an object that does not exist, such as a card or a change."""

    kind = "not-found"


class Conflict(RequestError):
    """The request is valid, but impossible in the present state."""

    kind = "conflict"
    details: request_and_switch.ConflictDetails


class Protected(Conflict):
    """The settings protect the profile, or require that a profile stays enabled."""

    kind = "protected"
    details: request_and_switch.ProtectedDetails


class WouldGoOffline(Conflict):
    """The device would lose its connection, and the request does not accept that."""

    kind = "would-go-offline"
    details: request_and_switch.OfflineDetails


class SwitchLimit(Conflict):
    """The number of switches that the settings allow in 24 hours is used up."""

    kind = "switch-limit"
    details: request_and_switch.LimitDetails
    retryable = True


class NotPermitted(RequestError):
    """The caller's user or group may not do this."""

    kind = "not-permitted"
    details: request_and_switch.RoleDetails


class KeyReused(RequestError):
    """An idempotency key already belongs to another request."""

    kind = "idempotency-key-reused"
    details: request_and_switch.KeyDetails


class TooManyChanges(RequestError):
    """The card's queue is full."""

    kind = "too-many-changes"
    retryable = True


class TooManyConnections(RequestError):
    """The caller's user, or all users together, have too many open connections."""

    kind = "too-many-connections"
    retryable = True


class ConfirmationCodeRequired(RequestError):
    """The operator requires a confirmation code, and none was given."""

    kind = "confirmation-code-required"


class Declined(RequestError):
    """The caller rejected the offered profile, or did not answer in time."""

    kind = "declined"
    details: request_and_switch.DeclinedDetails


class PolicyRefused(Declined):
    """A policy forbids a server or a profile."""

    kind = "policy-refused"
    details: request_and_switch.PolicyDetails


class Cancelled(RequestError):
    """The caller cancelled the change before it was done."""

    kind = "cancelled"
    details: request_and_switch.SwitchDetails


class CardError(LpadError):
    """A failure of the eUICC, or of the connection to it."""

    kind = "card-error"
    details: card.CardDetails


class CardUnreachable(CardError):
    """The port is missing, the card does not answer, or the deadline has passed."""

    kind = "card-unreachable"
    details: card.UnreachableDetails
    retryable = True


class CardBusy(CardError):
    """Another program uses the port, or the card reports that it is busy."""

    kind = "card-busy"
    retryable = True


class CardServed(CardError):
    """The settings list this card twice."""

    kind = "card-served"
    details: card.ServedDetails


class CardStatus(CardError):
    """The card answered with a status word other than success."""

    kind = "card-status"
    details: card.StatusDetails


class CardRefused(CardError):
    """An ES10 function answered with its error code."""

    kind = "card-refused"
    details: card.RefusedDetails


class CardMalformed(CardError):
    """The card's answer breaks its grammar."""

    kind = "card-malformed"


class ServerError(LpadError):
    """A failure of an SM-DP+, an SM-DS or an operator's platform, or of the connection to it."""

    kind = "server-error"


class ServerUnreachable(ServerError):
    """No connection, no answer in time, or another host answers in the server's place."""

    kind = "server-unreachable"
    details: server_and_platform.UnreachedDetails
    retryable = True


class ServerFailed(ServerError):
    """The server answers, but reports an internal failure: HTTP status 500 or above."""

    kind = "server-failed"
    details: server_and_platform.PlatformDetails
    retryable = True


class ServerUntrusted(ServerError):
    """TLS, or the server's identity, cannot be verified."""

    kind = "server-untrusted"
    details: server_and_platform.UntrustedDetails


class ClockNotSet(ServerError):
    """This device does not know the time, so no server's certificate can be verified."""

    kind = "clock-not-set"
    retryable = True


class ServerRefused(ServerError):
    """The server answered a function with Failed, a subject code and a reason code."""

    kind = "server-refused"
    details: server_and_platform.SmdpDetails


class ServerMalformed(ServerError):
    """The server's answer breaks its grammar or contradicts itself."""

    kind = "server-malformed"


class ServerListsEvents(ServerError):
    """A server that was asked for a profile is an SM-DS, which only lists servers."""

    kind = "server-lists-events"


class PlatformRefused(ServerError):
    """An operator's platform refused a request."""

    kind = "platform-refused"
    details: server_and_platform.RefusalDetails


class PlatformBusy(ServerError):
    """An operator's platform asks to try again later."""

    kind = "platform-busy"
    details: server_and_platform.BusyDetails
    retryable = True


class PlatformUnclear(ServerError):
    """The answer, or its absence, leaves open whether an operator's platform carried out the request."""

    kind = "platform-unclear"
    details: server_and_platform.PlatformDetails
    retryable = True


class SwitchRolledBack(LpadError):
    """A guard was not met; the previous profile, or a profile of the fallback order, is enabled."""

    kind = "switch-rolled-back"
    details: request_and_switch.SwitchDetails


class NetworkFailed(LpadError):
    """An applier or a hook failed before a switch; nothing was switched."""

    kind = "network-failed"
    details: request_and_switch.NetworkDetails


class SwitchStuck(LpadError):
    """A guard was not met, and neither the previous profile nor a fallback could be enabled."""

    kind = "switch-stuck"
    details: request_and_switch.SwitchDetails


class MalformedError(LpadError):
    """Received bytes break their grammar; this class does not state who sent them."""

    kind = "malformed"


class InternalError(LpadError):
    """A fault in lpad itself; the log contains the traceback."""

    kind = "internal-error"


class JournalUnavailable(InternalError):
    """The journal cannot be written, so lpad does nothing that must be journalled."""

    kind = "journal-unavailable"
    details: request_and_switch.JournalDetails
    retryable = True


def every_error(root: type[LpadError] = LpadError) -> Iterator[type[LpadError]]:
    """Yield a class of errors and all its subclasses; each class comes before its subclasses."""
    yield root
    for each in root.__subclasses__():
        yield from every_error(each)


@cache
def details_by_kind() -> dict[str, type[request_and_switch.Details]]:
    """Return the type of the details of each kind of error; classes of one kind share one type.

    The result is computed on the first call, because this takes longer than the import of this module.
    """
    ours = (each for each in every_error() if each.__module__ == __name__ and each is not LpadError)
    return {each.kind: get_type_hints(each)["details"] for each in ours}


@contextmanager
def blamed_on(blame: type[CardMalformed | ServerMalformed], attempted: str) -> Iterator[None]:
    """Turn a MalformedError inside the block into the error of the party that sent the bytes.

    Args:
        blame: CardMalformed or ServerMalformed.
        attempted: the function in progress, such as "ES10c.GetEID".
    """
    try:
        yield
    except MalformedError as error:
        raise blame(f"{attempted}: {error.sentence}") from error


def internal_error(what: str, error: Exception) -> InternalError:
    """Return the error for a fault in lpad; it omits the exception's text, which may contain secrets."""
    return InternalError(f"{what} failed because of a fault in lpad ({type(error).__name__}); see its log")
