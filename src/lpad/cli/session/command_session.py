"""The session of an lpactl command: the daemon, the chosen card, the output and the exit code."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct

from lpad.cli.session.completion_from_daemon import complete_card
from lpad.cli.session.followed_change import follow
from lpad.cli.session.profile_choice import named_profile
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, safe
from lpad.client import DEFAULT_SOCKET, ApiError, Client, DaemonUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.client import Change

_F = TypeVar("_F", bound="Callable[..., Any]")

NO_CARD = "no card is configured; run 'lpad setup'"


class Session(Struct):
    """The daemon, the chosen card and the output of a command."""

    client: Client
    output: Output
    euicc_name: str | None
    wait: bool = True
    waits_in_any_case: bool = False
    """Whether --wait was given."""

    def euicc(self) -> str:
        """Return the card's name: the given one, or that of the only card.

        Raises:
            ApiError: no card is given, and the daemon has several or none.
        """
        if self.euicc_name is not None:
            return self.euicc_name
        names = [euicc.name for euicc in self.client.euiccs()]
        if len(names) != 1:
            if not names:
                raise ApiError(NO_CARD, kind="not-found")
            raise ApiError(
                f"choose a card with --euicc NAME; the daemon has: {', '.join(names)}", kind="bad-request"
            )
        return names[0]

    def iccid(self, text: str) -> str:
        """Return the ICCID or AID of the chosen profile; see `named_profile`.

        Raises:
            ApiError: no profile matches, or several do.
        """
        return named_profile(self.client, self.euicc(), text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before an irreversible action; ends the program unless the answer is yes.

        Raises:
            ApiError: the question cannot be asked, because there is no terminal.
        """
        if yes:
            return
        if not self.output.may_ask:
            raise ApiError(
                f"{question} lpactl cannot ask here: add --yes if the answer is yes", kind="bad-request"
            )
        if not click.confirm(question, err=True):
            sys.exit(exit_codes.NEEDS_PEOPLE)

    def accepted(self, ask: Callable[[bool], Change], *, accept_offline: bool) -> Change:
        """Request a change; if the daemon refuses to take the device offline, ask the user at a terminal.

        Args:
            ask: requests the change, with or without accepting that the device goes offline.
            accept_offline: whether the command line accepts that the device loses its connection.
        """
        try:
            return ask(accept_offline)
        except ApiError as error:
            if error.kind != "would-go-offline" or not self.output.may_ask:
                raise
            name = error.details.get("name") or error.details.get("iccid")
            question = f"The modem uses the profile '{name}'. Without it this device goes offline. Continue?"
            if not click.confirm(safe(question), err=True):
                sys.exit(exit_codes.NEEDS_PEOPLE)
            return ask(True)

    def show_answer(self, method: str, path: str, *names: object, **parts: Any) -> None:
        """Print the API's answer to a request as JSON; see `Client.request`."""
        self.output.answer(self.client.request(method, path, *names, **parts))

    def note_next(self, following: object) -> None:
        """Print how to show the next part of a list; `following` None: there is no next part."""
        if following is not None:
            self.output.note(safe(f"there are more entries: add --after {following}"))

    def show_change(self, change: Change) -> None:
        """Print the API's record of a change as JSON."""
        try:
            self.show_answer("GET", "/v1/changes/{}", change.id)
        except DaemonUnreachable:  # lpad has stopped meanwhile, and the outcome is known
            self.output.json(change)

    def finish(self, change: Change) -> Change:
        """Follow a change to its end, if the command waits, and print it as JSON if requested.

        A failed change ends the program.
        """
        if self.wait:
            try:
                change = follow(self.client, self.output, change)
            except KeyboardInterrupt:
                self.output.note(
                    f"change {change.id} continues: 'lpactl changes {change.id}' shows it, and 'lpactl cancel"
                    f" {change.id}' cancels it"
                )
                raise
        if self.output.as_json:
            self.show_change(change)
            if change.error is not None:
                sys.exit(exit_codes.exit_code(change.error.kind))
        elif not change.ended:
            self.output.line(f"change {change.id}: {change.state}")
        return change.check()


def command(group: click.Group, name: str, **settings: Any) -> Callable[[_F], _F]:
    """Turn a function into a command with the options that all commands have; `settings` go to click."""

    def decorate(function: _F) -> _F:
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @click.option("--socket", metavar="PATH", help="Socket of the daemon.")
        @click.option(
            "-e",
            "--euicc",
            metavar="NAME",
            shell_complete=complete_card,
            help="Name of the card; needed if there are several.",
        )
        @click.option("--wide", is_flag=True, help="Show all columns, even on a narrow terminal.")
        @click.option("-v", "--verbose", is_flag=True, help="Show lpad's own names of steps.")
        @wraps(function)
        def run(
            *args: Any,
            as_json: bool,
            socket: str | None,
            euicc: str | None,
            wide: bool,
            verbose: bool,
            **options: Any,
        ) -> None:
            common = click.get_current_context().find_root().params
            output = Output(as_json=as_json or bool(common.get("as_json")), wide=wide, verbose=verbose)
            path = socket or common.get("socket") or DEFAULT_SOCKET
            with Client(path) as client:
                session = Session(client, output, euicc or common.get("euicc"))
                waits = options.pop("wait", None)
                session.wait, session.waits_in_any_case = waits is not False, waits is True
                try:
                    function(session, *args, **options)
                except ApiError as error:
                    _fail(output, error)

        group.command(name, help=function.__doc__, context_settings=settings)(run)
        return function

    return decorate


def paged(function: _F) -> _F:
    """Add the options for a part of a list to a command."""
    limited = click.option(
        "--limit", type=click.IntRange(min=1, max=1000), help="Maximum number of entries to show, up to 1000."
    )
    following = click.option(
        "--after", metavar="NEXT", help="Show the entries after this one, the 'next' of an earlier list."
    )
    return limited(following(function))


accepting = click.option(
    "--accept-offline", is_flag=True, help="Proceed even if the device then loses its connection."
)
no_wait = click.option(
    "--wait/--no-wait",
    default=None,
    help="Follow the change to its end, or return as soon as it is queued.  [default: wait]",
)


def _fail(output: Output, error: ApiError) -> None:
    if output.as_json:
        output.json(error.problem)
    else:
        output.note(safe(f"{error.sentence} ({error.kind})"))
    sys.exit(exit_codes.exit_code(error.kind))
