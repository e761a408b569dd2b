"""A change: a request for a card, from its submission to its end.

    queued ◀──▶ running ◀──▶ waiting
      │  ▲         │            │ │
      │  └─────────┼────────────┼─┘
      └──────┬─────┴────────────┘
             ▼
      done, failed, cancelled

Everything that alters a card is a change. The record is frozen: each event creates the next record, and
`TRANSITIONS` lists which states may follow which. A change returns to `queued` when a switch has overtaken
it, or when its question was answered while other changes were using the card.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import field
from msgspec.structs import replace

from lpad.base.errors import InternalError
from lpad.base.frozen import Frozen
from lpad.engine.change.guard import Guard  # noqa: TC001 - msgspec reads the annotations when it runs
from lpad.engine.change.results import ShownProfile  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.errors import LpadError
    from lpad.engine.change.params import Params
    from lpad.engine.change.results import Outcome

    Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
    Odd = dict[str, Json]
    AnyParams = Params | Odd
    AnyOutcome = Outcome | Odd
    Facts = Mapping[str, object]
else:
    # msgspec reads annotations at run time; the table of kinds has the types of these fields.
    Json = AnyParams = AnyOutcome = Any
    Facts = dict[str, Any]

P = TypeVar("P", bound="Params")

EID = "eid"
"""The name of the secret that contains the EID that lpad showed when the change was queued."""

RESCUE = "rescue"
"""The `origin` of a change with which the rescue tries to enable a profile."""

FAILOVER = "failover"
"""The `origin` of a change that failover requested."""

PROVISION = "provision"

DISCOVERY = "discovery"
"""The `origin` of a discovery that no user requested, and of the downloads that follow from any discovery."""


class Kind(enum.StrEnum):
    """The kinds of changes."""

    DOWNLOAD = "download"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    RENAME = "rename"
    SET_DEFAULT_SMDP = "set-default-smdp"
    RESET = "reset"
    DELIVER_NOTIFICATIONS = "deliver-notifications"
    DROP_NOTIFICATION = "drop-notification"
    REFRESH = "refresh"
    PROBE = "probe"
    CHECK_TRUST = "check-trust"
    RESTART_MODEM = "restart-modem"
    PROVISION = "provision"
    LINE = "line"
    DISCOVER = "discover"

    @property
    def downloads(self) -> bool:
        """Whether the change is a download of any kind."""
        return self in (Kind.DOWNLOAD, Kind.PROVISION)


CALLER = "caller"
"""The origin of a change that was requested through the API."""


class State(enum.StrEnum):
    """The states of a change."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return not TRANSITIONS[self]


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.WAITING, State.DONE, State.FAILED, State.CANCELLED}),
    State.WAITING: frozenset({State.QUEUED, State.RUNNING, State.FAILED, State.CANCELLED}),
    State.DONE: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


class QuestionKind(enum.StrEnum):
    """The kinds of question that a change asks."""

    CONFIRMATION_CODE = "confirmation-code"
    CONSENT = "consent"
    CONFIRMATION = "confirmation"
    SECOND_ORDER = "second-order"  # whether to pay again
    ADOPT = "adopt"  # whether to take the oldest of several profiles that wait for this card


class Question(Frozen, kw_only=True):
    """A question to the caller, its time limit and its reason; `profile` is the offered profile."""

    kind: QuestionKind
    until: datetime
    code_refused: bool = False
    profile: ShownProfile | None = None
    reason: str | None = None


class Failure(Frozen, kw_only=True):
    """An error as in the journal and the API; `details` have the type for this `kind`, if they fit it."""

    kind: str
    sentence: str
    retryable: bool = False
    details: Facts = field(default_factory=dict)

    @classmethod
    def of(cls, error: LpadError) -> Failure:
        """Create the record of an error."""
        return cls(
            kind=error.kind, sentence=error.sentence, retryable=error.retryable, details=dict(error.details)
        )


class PauseReason(enum.StrEnum):
    """The reasons for a wait without a question."""

    NETWORK = "network"  # the server cannot be reached
    SERVER = "server"  # the server fails, or asks to try again later
    PLATFORM = (
        "platform"  # an operator's platform has not prepared the profile yet, or asks to try again later
    )
    CARD = "card"  # the card disappeared, or is busy
    JOURNAL = "journal"  # the journal cannot be written
    TIME = "time"  # the device's clock is not set, so certificates cannot be verified
    RESTART = "restart"  # lpad was stopped during an attempt
    OVERTAKEN = "overtaken"  # switches have overtaken the change several times


class Pause(Frozen, kw_only=True):
    """Why a change waits without occupying its card, and when the next attempt begins.

    If `retry_at` is None, the next attempt begins as soon as the reason for the wait no longer exists.
    `error` is the last attempt's error.
    """

    reason: PauseReason
    since: datetime
    retry_at: datetime | None
    error: Failure


class Step(Frozen, kw_only=True):
    """One step, and its duration in seconds; None while it lasts.

    `steady` is its start on the steady clock, because the wall clock of `at` may be set during a step.
    """

    name: str
    at: datetime
    seconds: float | None = None
    steady: float | None = None


class Progress(Frozen, kw_only=True):
    """The bytes of the bound profile package that the card has accepted, and the total."""

    sent: int
    total: int


class Change(Frozen, kw_only=True):
    """The record of a change without secrets: in `params` they are redacted.

    `params` and `result` have the types of the kind, or are the journal's raw values if these do not fit.
    """

    id: int
    euicc: str
    kind: Kind
    params: AnyParams
    created_at: datetime
    state: State = State.QUEUED
    progress: Progress | None = None
    question: Question | None = None
    error: Failure | None = None
    result: AnyOutcome | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    origin: str = CALLER
    """The requester: a caller of the API, or one of lpad's own policies by name."""
    guard: Guard | None = None
    """The guard of a switch that is rolled back unless its conditions are met."""
    pause: Pause | None = None
    """Why the change waits, if it does not wait for an answer."""
    attempts: int = 0
    """The number of failed attempts so far."""
    overtaken: int = 0
    """The number of times that a switch has overtaken the running change."""
    asked_by: int | None = None
    """The user ID of the requesting caller; None: lpad itself, or a release that did not record it."""

    def params_of(self, type_: type[P]) -> P:
        """Return the typed parameters.

        Raises:
            InternalError: the parameters have another type, or the journal's values do not fit the kind.
        """
        if not isinstance(self.params, type_):
            raise InternalError(
                f"change {self.id} ({self.kind}) is not carried out: lpad cannot read its parameters; "
                f"check the change, and repeat the request if you still want it"
            )
        return self.params

    @property
    def step(self) -> str | None:
        """The current step, or the last one; None before the first step."""
        return self.steps[-1].name if self.steps else None

    def run(self) -> Change:
        """Return the change as running: begun, begun again after a pause, or continued after an answer."""
        going_on = replace(self._to(State.RUNNING), started_at=self.started_at or now(), question=None)
        anew = self.pause is not None or self.state is State.QUEUED
        return replace(going_on, pause=None, steps=()) if anew else going_on

    def requeued(self) -> Change:
        """Return the change as queued again, to start from the beginning."""
        return replace(self._to(State.QUEUED), question=None, pause=None, progress=None, steps=())

    def taken_up(self) -> Change:
        """Return the change as running after an interruption of lpad; an open question is asked again."""
        return self.run() if self.state is not State.RUNNING else self

    def found_out(self) -> Change:
        """Return the change without its wait for a card, which now shows the outcome; the steps stay."""
        return self if self.pause is None else replace(self._to(State.RUNNING), pause=None)

    def wait(self, question: Question) -> Change:
        """Return the change as waiting for the answer to a question."""
        return replace(self._to(State.WAITING), question=question)

    def paused(self, pause: Pause) -> Change:
        """Return the change as waiting for another attempt, after one attempt failed or could not begin."""
        return replace(self.put_off(pause), attempts=self.attempts + 1)

    def put_off(self, pause: Pause) -> Change:
        """Return the change as waiting; unlike `paused`, count no failed attempt."""
        return replace(
            self.taken_up(),
            state=State.WAITING,
            pause=pause,
            progress=None,
            steps=_closed(self.steps),
        )

    def done(self, result: Outcome) -> Change:
        """Return the change as done, with its result."""
        return replace(self._ended(State.DONE), result=result)

    def failed(self, error: LpadError) -> Change:
        """Return the change as failed, with the error."""
        return replace(self._ended(State.FAILED), error=Failure.of(error))

    def cancelled(self, error: LpadError) -> Change:
        """Return the change as cancelled, with the reason as its error."""
        return replace(self._ended(State.CANCELLED), error=Failure.of(error))

    def at_step(self, name: str) -> Change:
        """Return the change with its current step closed, and another step begun."""
        return replace(self, progress=None, steps=(*_closed(self.steps), Step(name=name, at=now())))

    def timed(self, steady: float, *, before: Change | None) -> Change:
        """Return the record with its steps timed by the steady clock."""
        open_before = len(before.steps) - 1 if before and before.steps and before.step_is_open else None
        steps = [replace(each, steady=steady) if each.steady is None else each for each in self.steps]
        if open_before is not None and open_before < len(steps) and steps[open_before].seconds is not None:
            began = steps[open_before].steady
            seconds = max(0.0, steady - (steady if began is None else began))
            steps[open_before] = replace(steps[open_before], seconds=round(seconds, 3))
        return replace(self, steps=tuple(steps)) if steps else self

    @property
    def step_is_open(self) -> bool:
        """Whether a step is in progress."""
        return bool(self.steps) and self.steps[-1].seconds is None

    def _to(self, state: State) -> Change:
        if state not in TRANSITIONS[self.state]:
            raise InternalError(f"change {self.id} cannot go from {self.state} to {state}")
        return replace(self, state=state)

    def _ended(self, state: State) -> Change:
        return replace(
            self._to(state),
            question=None,
            pause=None,
            progress=None,
            ended_at=now(),
            steps=_closed(self.steps),
        )


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def _closed(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    if not steps or steps[-1].seconds is not None:
        return steps
    # The steady clock measures the step's duration when the record is stored: see `timed`.
    return (*steps[:-1], replace(steps[-1], seconds=0.0))
