"""Following a change on the command line: steps and progress live, questions on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from lpad.cli.terminal.output import duration, safe
from lpad.cli.terminal.step_words import step_words
from lpad.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lpad.cli.terminal.output import Output
    from lpad.client import Change, Client, Event
    from lpad.client.views import Pause

_QUARTERS = 4
_OVERTAKEN = "a switch has overtaken change {}; lpad will start the change again"


class _Display(Protocol):
    def step(self, name: str) -> None: ...
    def progress(self, sent: int, total: int) -> None: ...
    @contextmanager
    def paused(self) -> Iterator[None]: ...


def follow(client: Client, output: Output, change: Change) -> Change:
    """Show a change until it has ended, and return its last record.

    lpactl asks the user a change's question if this is possible (see `Output.may_ask`). If this is
    impossible, and always for a confirmation, lpactl prints the question with the command that answers it.
    """
    asked: object = None
    told: object = None
    overtaken = change.overtaken
    for line in _held_up(client, change):
        output.note(safe(line))
    with _display(output) as display:
        step = ""
        for event in client.follow(change.id):
            if event.type == "progress":
                display.progress(int(event.data["sent"]), int(event.data["total"]))
                continue
            if event.type != "change":
                continue
            change = event.change
            if change.state == "queued":
                step = ""
            # several of lpad's steps may share one name for the user
            if change.steps and (words := step_words(change.steps[-1].name, verbose=output.verbose)) != step:
                step = words
                display.step(words)
            if change.overtaken > overtaken and change.state == "queued":
                _tell(output, display, _OVERTAKEN.format(change.id))
            overtaken = change.overtaken
            if change.pause is not None and change.pause.since != told:
                _tell(output, display, *_pause_lines(change, first=told is None))
                told = change.pause.since
            if change.question is not None and change.question.until != asked:
                asked = change.question.until
                with display.paused():
                    _question(client, output, change)
    return change


def _tell(output: Output, display: _Display, *lines: str) -> None:
    with display.paused():
        for line in lines:
            output.note(safe(line))


def _held_up(client: Client, change: Change) -> list[str]:
    """Return a line for each guarded switch whose pending confirmation delays a queued change.

    A change that waits for an answer other than a confirmation does not block other changes.
    """
    if change.state != "queued":
        return []
    return [
        f"change {change.id} is queued behind change {other.id} ({other.kind}), which waits for"
        f" {other.question.kind} until {other.question.until:%H:%M:%S} UTC: lpactl changes {other.id}"
        for other in client.changes(euicc=change.euicc)
        if other.question is not None and other.question.kind == "confirmation" and other.id < change.id
    ]


def waits(pause: Pause) -> str:
    """Return, in words, why a change waits."""
    what = {
        "network": "waits for a connection to the server",
        "server": "waits for the server",
        "platform": "waits for the platform",
        "card": "waits for the card",
        "journal": "waits for a journal that can be written",
        "time": "waits until a time server has set the clock",
        "restart": "continues after a restart",
        "overtaken": "waits for a time without switches",
    }.get(pause.reason, pause.reason)
    when = f"; next attempt at {pause.retry_at:%Y-%m-%d %H:%M:%S} UTC" if pause.retry_at is not None else ""
    return f"{what}{when}: {pause.error.sentence} ({pause.error.kind})"


def _pause_lines(change: Change, *, first: bool) -> list[str]:
    """Return why a change waits; with `first`, also how long lpad keeps trying, and how to cancel."""
    assert change.pause is not None
    lines = [waits(change.pause)]
    if first and (until := _patience(change)) is not None:
        lines.append(
            f"lpad keeps trying change {change.id} {until}, even after Ctrl-C: 'lpactl cancel {change.id}'"
            f" stops it, and 'lpactl changes {change.id}' shows it"
        )
    return lines


def _patience(change: Change) -> str | None:
    """Return how long lpad keeps trying a download; None if it tries once, and for other changes."""
    if change.kind != "download":
        return None
    if change.params.get("when_online"):
        return "until it succeeds"
    limit = change.params.get("retry_for")
    return f"for up to {duration(float(limit))}" if limit else None


def waiting_lines(changes: Iterable[Change]) -> list[str]:
    """Return a line for each change that waits for an answer or for another attempt."""
    return [
        f"{change.euicc}: change {change.id} ({change.kind}) {waiting}"
        for change in changes
        if (waiting := _awaited(change)) is not None
    ]


def _awaited(change: Change) -> str | None:
    if change.pause is not None:
        until = _patience(change)
        trying = "" if until is None else f"; lpad keeps trying {until}"
        return f"{waits(change.pause)}{trying}; 'lpactl cancel {change.id}' ends it"
    if change.question is not None:
        return f"waits for {question_words(change)}"
    return None


def question_words(change: Change) -> str:
    """Return a change's question, with the time limit and the command to answer it."""
    question = change.question
    assert question is not None
    what, how = {
        "consent": ("consent", f"lpactl answer {change.id} --accept, --reject or --postpone"),
        "confirmation-code": (
            "the confirmation code",
            f"lpactl answer {change.id} --confirmation-code-file FILE",
        ),
        "confirmation": ("a confirmation", f"lpactl confirm {change.id}"),
        "second-order": ("a decision on another order", f"lpactl answer {change.id} --yes or --no"),
        "adopt": ("a decision on which profile to use", f"lpactl answer {change.id} --yes or --no"),
    }.get(question.kind, (question.kind, f"lpactl answer {change.id}"))
    if question.reason is not None:
        return f"{what}: {how} ({question.reason})"
    return f"{what} until {question.until:%H:%M:%S} UTC: {how}"


def describe(event: Event) -> str:
    """Return a line that describes an event."""
    tell = _TOLD.get(event.type)
    return safe(tell(event) if tell is not None else event.type)


def _change(event: Event) -> str:
    change = event.change
    step = f" ({step_words(change.steps[-1].name)})" if change.steps and not change.ended else ""
    error = f": {change.error.sentence} ({change.error.kind})" if change.error else ""
    error = f", {waits(change.pause)}" if change.pause else error
    return f"change {change.id} {change.kind} on {change.euicc}: {change.state}{step}{error}"


def _notification(event: Event) -> str:
    data = event.data
    return f"notification {data['seq']} ({data['event']}) for {data['address']}: {data['what']}"


def _guard(event: Event) -> str:
    data = event.data
    awaited = [f"{each['condition']}: {each['seen']}" for each in data["requirements"] if not each["met"]]
    return "; ".join([f"change {data['id']}: {data['phase']}", *awaited])


_TOLD: dict[str, Callable[[Event], str]] = {
    "change": _change,
    "progress": lambda event: (
        f"change {event.data['id']}: {event.data['sent']} of {event.data['total']} bytes"
    ),
    "euicc": lambda event: f"euicc {event.data['name']}: {event.data['state']}",
    "failover": lambda event: (
        f"failover on {event.data['euicc']}: {event.data['standing']} {event.data['profile'] or ''}"
    ),
    "rescue": lambda event: (
        f"rescue on {event.data['euicc']}: "
        + (f"{event.data['rescue']['attempts']} attempts" if event.data["rescue"] else "over")
    ),
    "modem-restarts": lambda event: (
        f"modem of {event.data['euicc']}: "
        + (f"restarted {restarts['times']} times" if (restarts := event.data["modem_restarts"]) else "well")
    ),
    "decision": lambda event: (
        f"change {event.data['id']}: decision '{event.data['decision']}' by '{event.data['rule']}': "
        f"{event.data['sentence']}"
    ),
    "guard": _guard,
    "provisioning": lambda event: (
        f"change {event.data['id']}: platform '{event.data['platform']}': {event.data['phase']}"
    ),
    "line": lambda event: (
        f"line of {event.data['iccid']}: {event.data['line']} at the platform '{event.data['platform']}'"
    ),
    "imei": lambda event: (
        f"line of {event.data['iccid']}: the platform '{event.data['platform']}' reports the line in IMEI"
        f" {event.data['imei']}, but this device has {event.data['previous']}"
    ),
    "journal": lambda event: f"journal: {event.data['state']}",
    "notification": _notification,
    "lost": lambda event: (
        f"{event.data['count']} events were lost: this listener was too slow, or disconnected for too long"
    ),
}


def _question(client: Client, output: Output, change: Change) -> None:
    question = change.question
    assert question is not None
    if question.profile is not None:
        profile = question.profile
        rules = f", rules: {', '.join(profile.policy_rules)}" if profile.policy_rules else ""
        output.note(
            safe(f"the server offers {profile.name!r} of {profile.provider!r}, ICCID {profile.iccid}{rules}")
        )
    if question.kind == "consent":
        _consent(client, output, change)
        return
    if question.kind == "confirmation":
        # Usually a program or a remote user confirms the switch, not the user who follows the change.
        output.note(
            f"change {change.id} will be rolled back unless it is confirmed by {question.until:%H:%M:%S} UTC:"
            f" lpactl confirm {change.id}"
        )
        return
    if question.kind in ("second-order", "adopt"):
        _yes_or_no(client, output, change)
        return
    if question.code_refused:
        output.note("the server refused the confirmation code")
    if not output.may_ask:
        output.note(f"change {change.id} waits for {question_words(change)}")
        return
    import getpass  # noqa: PLC0415 - only a question needs it

    code = getpass.getpass("Confirmation code: ", stream=sys.stderr).strip()
    _answer(client, output, change, confirmation_code=code or None)


def _yes_or_no(client: Client, output: Output, change: Change) -> None:
    assert change.question is not None
    if not output.may_ask:
        output.note(safe(f"change {change.id} waits for {question_words(change)}"))
        return
    output.note(safe(f"{change.question.reason}"))
    said = None
    while said is None:
        print("[y]es, [n]o: ", end="", file=sys.stderr, flush=True)
        said = {"y": True, "n": False}.get(input().strip().lower()[:1])
    try:
        client.answer(change.id, confirm=said)
    except ApiError as error:
        output.note(safe(error.sentence))


def _consent(client: Client, output: Output, change: Change) -> None:
    assert change.question is not None
    if not output.may_ask:
        output.note(f"change {change.id} waits for {question_words(change)}")
        return
    decisions = {"y": "accept", "n": "reject", "l": "postpone"}
    decision = None
    while decision is None:
        print("Install it? [y]es, [n]o, [l]ater: ", end="", file=sys.stderr, flush=True)
        decision = decisions.get(input().strip().lower()[:1])
    _answer(client, output, change, decision=decision)


def _answer(
    client: Client,
    output: Output,
    change: Change,
    *,
    confirmation_code: str | None = None,
    decision: str | None = None,
) -> None:
    try:
        if confirmation_code is None and decision is None:
            client.answer(change.id, decision="postpone")
        else:
            client.answer(change.id, confirmation_code=confirmation_code, decision=decision)
    except ApiError as error:
        # The answer came too late, or another program has answered; the result of the change is shown anyway.
        output.note(safe(error.sentence))


@contextmanager
def _display(output: Output) -> Iterator[_Display]:
    if output.as_json:
        yield _Silent()
    elif output.on_terminal:
        from lpad.cli.terminal.tables_and_bars import (  # noqa: PLC0415 - rich takes long to import
            Bars,
        )

        with Bars() as bars:
            yield bars
    else:
        yield _Lines(output)


class _Silent:
    def step(self, name: str) -> None:
        pass

    def progress(self, sent: int, total: int) -> None:
        pass

    @contextmanager
    def paused(self) -> Iterator[None]:
        yield


class _Lines:
    """Plain lines: one for each step, and one for each quarter of the bytes."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._quarter = 0

    def step(self, name: str) -> None:
        self._quarter = 0
        self._output.note(name)

    def progress(self, sent: int, total: int) -> None:
        quarter = sent * _QUARTERS // total if total else 0
        if quarter > self._quarter:
            self._quarter = quarter
            self._output.note(f"{sent} of {total} bytes")

    @contextmanager
    def paused(self) -> Iterator[None]:
        yield
