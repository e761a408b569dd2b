"""Everything that can go wrong, as one tree.

    LpadError
    ├── RequestError             the caller asked for something that can't be
    │   ├── InvalidValue             an argument, setting or identifier breaks its grammar
    │   │   ├── InvalidActivationCode
    │   │   └── InvalidSettings
    │   ├── NotFound                 no such card, profile, change or notification
    │   ├── Conflict                 right in itself, but not in the present state
    │   │   ├── Protected                the settings keep the profile, or one enabled
    │   │   └── SwitchLimit              enough switches for a day             (retryable)
    │   ├── NotPermitted             the caller's user or group may not do this
    │   ├── KeyReused                an idempotency key stands for another request already
    │   ├── TooManyChanges           the card's queue is full                   (retryable)
    │   ├── TooManyConnections       the caller's user has too many open        (retryable)
    │   ├── ConfirmationCodeRequired the operator wants a confirmation code, none was given
    │   ├── Declined                 the caller said no to the profile, or nobody said yes
    │   │   └── PolicyRefused            the settings' policy, or the card's, said no to it
    │   └── Cancelled                the caller took the change back
    ├── CardError                the eUICC, or the way to it
    │   ├── CardUnreachable          port gone, card mute, deadline passed      (retryable)
    │   ├── CardBusy                 held by another program, or card says busy (retryable)
    │   ├── CardServed               the settings name this card twice
    │   ├── CardStatus               status word other than success
    │   ├── CardRefused              an ES10 function answered with its error code
    │   └── CardMalformed            the answer breaks its grammar
    ├── ServerError              the SM-DP+, or the way to it
    │   ├── ServerUnreachable        no connection, or no answer in time       (retryable)
    │   ├── ServerFailed             it is there and answers HTTP 5xx           (retryable)
    │   ├── ServerUntrusted          TLS, or the server's identity, can't be verified
    │   ├── ClockNotSet              this device does not know the time, so TLS can't be verified (retryable)
    │   ├── ServerRefused            a function answered Failed, with subject and reason code
    │   ├── ServerMalformed          the answer breaks its grammar or contradicts itself
    │   ├── PlatformRefused          an operator's platform refused a request, with its own words
    │   ├── PlatformBusy             an operator's platform says "later"         (retryable)
    │   └── PlatformUnclear          no answer says whether the platform did it  (retryable)
    ├── SwitchRolledBack         a guard was not met; the profile before is enabled again
    ├── SwitchStuck              a guard was not met, and no other profile could be enabled
    ├── MalformedError           bytes break their grammar; the edge that got them turns this
    │                            into CardMalformed or ServerMalformed
    └── InternalError            lpad itself is wrong
        └── JournalUnavailable       the journal can't be written, so nothing is done that it must hold

`kind` is stable and appears unchanged in the log, the journal and the API. `details` holds what a
program wants to act upon (status word, error code's name, subject code). The sentence says what was
attempted, what came of it, and what the reader can do.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from lpad.base.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

Detail = str | int | bool


class LpadError(Exception):
    """The root: a sentence, a `kind`, whether a later try can succeed unchanged, and details."""

    kind: ClassVar[str] = "error"
    retryable: bool = False

    def __init__(self, sentence: str, *, retryable: bool | None = None, **details: Detail) -> None:
        """Say what happened.

        Args:
            sentence: what was attempted, what came of it, what the reader can do; free of secrets.
                Identifiers in it keep their last four digits; whole ones are for `details`.
            retryable: overrides the class's own answer.
            details: JSON-ready facts, named in lower_snake_case.
        """
        self.sentence = redacted(sentence)
        super().__init__(self.sentence)
        self.details: dict[str, Detail] = details
        if retryable is not None:
            self.retryable = retryable


class RequestError(LpadError):
    """The caller asked for something that can't be."""

    kind = "bad-request"


class InvalidValue(RequestError):
    """An argument, setting or identifier breaks its grammar."""

    kind = "invalid-value"


class InvalidActivationCode(InvalidValue):
    """An activation code breaks the grammar of SGP.22 v2.5, 4.1."""

    kind = "invalid-activation-code"


class InvalidSettings(InvalidValue):
    """The settings file is unreadable, or a setting is unknown or out of range."""

    kind = "invalid-settings"


class NotFound(RequestError):
    """No such card, profile, change or notification."""

    kind = "not-found"


class Conflict(RequestError):
    """Right in itself, but not in the present state."""

    kind = "conflict"


class Protected(Conflict):
    """The settings say that the profile is to stay, or that one is to stay enabled."""

    kind = "protected"


class SwitchLimit(Conflict):
    """The settings allow no more switches today; details hold `limit` and `next_at`."""

    kind = "switch-limit"
    retryable = True


class NotPermitted(RequestError):
    """The caller's user or group may not do this."""

    kind = "not-permitted"


class KeyReused(RequestError):
    """An idempotency key stands for another request already."""

    kind = "idempotency-key-reused"


class TooManyChanges(RequestError):
    """The card's queue is full."""

    kind = "too-many-changes"
    retryable = True


class TooManyConnections(RequestError):
    """The caller's user has too many connections open."""

    kind = "too-many-connections"
    retryable = True


class ConfirmationCodeRequired(RequestError):
    """The operator asks for a confirmation code and none was given."""

    kind = "confirmation-code-required"


class Declined(RequestError):
    """The caller said no to the profile that was offered, or nobody answered."""

    kind = "declined"


class PolicyRefused(Declined):
    """A policy said no to a server or a profile; details hold the `rule`, by the name of its setting."""

    kind = "policy-refused"


class Cancelled(RequestError):
    """The caller took the change back before it was done."""

    kind = "cancelled"


class CardError(LpadError):
    """The eUICC, or the way to it."""

    kind = "card-error"


class CardUnreachable(CardError):
    """Port gone, card mute, or deadline passed."""

    kind = "card-unreachable"
    retryable = True


class CardBusy(CardError):
    """The port is held by another program, or the card says that it is busy."""

    kind = "card-busy"
    retryable = True


class CardServed(CardError):
    """The settings lead to this card twice; details hold the name that it is `served_as`."""

    kind = "card-served"


class CardStatus(CardError):
    """The card answered with a status word other than success; details hold `sw` as hex."""

    kind = "card-status"


class CardRefused(CardError):
    """An ES10 function answered with its error code; details hold `function`, `code` and `reason`."""

    kind = "card-refused"


class CardMalformed(CardError):
    """The card's answer breaks its grammar."""

    kind = "card-malformed"


class ServerError(LpadError):
    """The SM-DP+, or the way to it."""

    kind = "server-error"


class ServerUnreachable(ServerError):
    """No connection, no answer in time, or somebody else answers in the server's place."""

    kind = "server-unreachable"
    retryable = True


class ServerFailed(ServerError):
    """The server is there and out of order; details hold `http_status`, 500 or above."""

    kind = "server-failed"
    retryable = True


class ServerUntrusted(ServerError):
    """TLS, or the server's identity, can't be verified."""

    kind = "server-untrusted"


class ClockNotSet(ServerError):
    """This device does not know the time, so no server's certificate can be verified."""

    kind = "clock-not-set"
    retryable = True


class ServerRefused(ServerError):
    """A function answered Failed; details hold `function`, `subject_code`, `reason_code`, `remedy`."""

    kind = "server-refused"


class ServerMalformed(ServerError):
    """The server's answer breaks its grammar or contradicts itself."""

    kind = "server-malformed"


class PlatformRefused(ServerError):
    """An operator's platform refused a request; details hold `platform`, `cause`, and its own `words`."""

    kind = "platform-refused"


class PlatformBusy(ServerError):
    """An operator's platform asks to come back later; details may hold `retry_after` in seconds."""

    kind = "platform-busy"
    retryable = True


class PlatformUnclear(ServerError):
    """The answer, or its absence, leaves open whether an operator's platform did what it was asked."""

    kind = "platform-unclear"
    retryable = True


class SwitchRolledBack(LpadError):
    """A guard was not met; details hold `enabled`, `previous`, `reason` and `seen`."""

    kind = "switch-rolled-back"


class SwitchStuck(LpadError):
    """A guard was not met, and neither the profile before nor another of the order could be enabled."""

    kind = "switch-stuck"


class MalformedError(LpadError):
    """Bytes break their grammar, whoever sent them."""

    kind = "malformed"


class InternalError(LpadError):
    """lpad itself is wrong; the log holds the traceback."""

    kind = "internal-error"


class JournalUnavailable(InternalError):
    """The journal can't be written, so nothing is done that it must hold; details hold `reason`."""

    kind = "journal-unavailable"
    retryable = True


@contextmanager
def blamed_on(blame: type[CardMalformed | ServerMalformed], attempted: str) -> Iterator[None]:
    """Turn a MalformedError inside into the error of the party that sent the bytes.

    Args:
        blame: CardMalformed or ServerMalformed.
        attempted: the function under way, such as "ES10c.GetEID".
    """
    try:
        yield
    except MalformedError as error:
        raise blame(f"{attempted}: {error.sentence}") from error


def internal_error(what: str, error: Exception) -> InternalError:
    """Return what journal and API show of a mistake in lpad; what an exception says may hold secrets."""
    return InternalError(f"{what} failed inside lpad ({type(error).__name__}); its log says where")
