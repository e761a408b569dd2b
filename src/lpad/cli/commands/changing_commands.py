"""lpactl's commands that change a card, a profile or a change."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lpad.cli.commands.enabled_profile_line import outcome_line
from lpad.cli.commands.network_command import network_options, network_settings
from lpad.cli.session.activation_code_input import code_options, read_code
from lpad.cli.session.command_session import accepting, command, no_wait
from lpad.cli.session.completion_from_daemon import complete_change, complete_profile
from lpad.cli.session.guard_options import asked_guard, guarded, limit
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import safe
from lpad.cli.terminal.secret_argument_hiding import hide
from lpad.client import ApiError

if TYPE_CHECKING:
    from typing import BinaryIO, TextIO

    from lpad.cli.session.command_session import Session
    from lpad.client import Change

_JUDGED = frozenset({"load-bound-profile-package"})
"""Steps that begin only after the server has accepted a confirmation code."""

_confirmation_code = click.option(
    "--confirmation-code",
    metavar="CODE",
    help="Confirmation code. Other users can see this argument for a moment; use "
    "--confirmation-code-file to hide it.",
)
_confirmation_code_file = click.option(
    "--confirmation-code-file",
    type=click.File(),
    help="Read the confirmation code from a file; - is standard input.",
)


@command(cli, "download")
@code_options
@click.option(
    "--default", "from_default", is_flag=True, help="Download from the card's default SM-DP+, without a code."
)
@click.option("--event", metavar="ID", help="ID of an SM-DS event that leads to --smdp; see lpactl discover.")
@_confirmation_code
@_confirmation_code_file
@click.option("--enable", is_flag=True, help="Enable the profile after the download.")
@guarded
@click.option("--confirm", is_flag=True, help="Ask before the profile is installed.")
@click.option(
    "--when-online",
    is_flag=True,
    help="Download as soon as there is a network, even after a restart; lpactl returns immediately.",
)
@click.option(
    "--retry-for",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Time for which lpad retries; 0 means one attempt.",
)
@network_options
@no_wait
def download(
    session: Session,
    activation_code: str | None,
    code_file: BinaryIO | None,
    qr: BinaryIO | None,
    smdp: str | None,
    matching_id: str | None,
    from_default: bool,
    event: str | None,
    confirmation_code: str | None,
    confirmation_code_file: TextIO | None,
    enable: bool,
    guard: tuple[str, ...],
    within: float | None,
    no_guard: bool,
    confirm: bool,
    when_online: bool,
    retry_for: float | None,
    **network: Any,
) -> None:
    """Download a profile.

    ACTIVATION_CODE is 'LPA:1$smdp.example.com$ABCD-1234', or a setup link of Apple or Android. Put the
    code in single quotes, or the shell removes each $ and the word after it. With '-', lpactl reads the code
    from standard input. Other users can see an argument in the list of processes for a moment, until lpactl
    has overwritten it there.
    """
    hide(activation_code if activation_code != "-" else None, matching_id, confirmation_code)
    if (guard or no_guard) and not enable:
        raise click.UsageError("--guard applies only together with --enable; add --enable")
    if event is not None and (smdp is None or matching_id is not None):
        raise click.UsageError(
            "--event needs --smdp, the server that the event leads to, and no --matching-id"
        )
    code = read_code(
        session,
        argument=activation_code,
        code_file=code_file,
        qr=qr,
        smdp=smdp,
        matching_id=matching_id,
        from_default=from_default,
    )
    if confirmation_code_file is not None:
        confirmation_code = confirmation_code_file.readline().strip()
    change = session.client.download(
        session.euicc(),
        activation_code=code if event is None else None,
        event=(smdp, event) if event is not None and smdp is not None else None,
        confirmation_code=confirmation_code,
        confirm=confirm,
        enable=enable,
        guard=asked_guard(guard, no_guard=no_guard),
        **limit(guard, within),
        when_online=when_online,
        retry_for=retry_for,
        network=network_settings(network),
    )
    session.wait = session.wait and (not when_online or session.waits_in_any_case)
    change = session.finish(change)
    if change.result is not None and not session.output.as_json:
        profile = change.result.get("profile") or {}
        state = "installed and enabled" if change.result.get("enabled") else "installed"
        session.output.line(
            safe(
                f"{change.result['iccid']}  {profile.get('name', '')}  {profile.get('provider', '')}  {state}"
            )
        )
        _remark(session, change)


@command(cli, "enable")
@click.argument("profile", shell_complete=complete_profile)
@guarded
@no_wait
def enable(
    session: Session, profile: str, guard: tuple[str, ...], within: float | None, no_guard: bool
) -> None:
    """Enable a profile; PROFILE is an ICCID, its last digits, an AID, a nickname or a name.

    If the card is in a modem that was registered, and no guard is given, the default guard of the settings
    applies. lpad then returns to the previous profile unless the modem registers again.
    """
    seconds = limit(guard, within)
    conditions = asked_guard(guard, no_guard=no_guard)
    iccid = session.iccid(profile)
    change = session.client.enable(session.euicc(), iccid, guard=conditions, **seconds)
    _say(session, change, f"{iccid} is enabled")
    if not session.output.as_json and session.wait:
        session.output.line(safe(outcome_line(session.client, session.client.change(change.id))))


@command(cli, "confirm")
@click.argument("change_id", type=int, shell_complete=complete_change)
@click.option("--no", "refused", is_flag=True, help="Return to the previous profile immediately.")
@no_wait
def confirm(session: Session, change_id: int, refused: bool) -> None:
    """Confirm that the profile of a guarded switch works, and keep it."""
    client = session.client
    change = client.answer(change_id, confirm=False) if refused else client.confirm(change_id)
    _tell_state(session, change)


@command(cli, "disable")
@click.argument("profile", shell_complete=complete_profile)
@accepting
@no_wait
def disable(session: Session, profile: str, accept_offline: bool) -> None:
    """Disable a profile. If the card is in a modem, the device goes offline."""
    iccid = session.iccid(profile)
    change = session.accepted(
        lambda accepted: session.client.disable(session.euicc(), iccid, accept_offline=accepted),
        accept_offline=accept_offline,
    )
    _say(session, change, f"{iccid} is disabled")


@command(cli, "delete")
@click.argument("profile", shell_complete=complete_profile)
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--missing-ok", is_flag=True, help="Succeed if the profile is not on the card.")
@no_wait
def delete(session: Session, profile: str, yes: bool, missing_ok: bool) -> None:
    """Delete a profile that is not enabled.

    This cannot be undone, and the profile's activation code is used up: most profiles cannot be downloaded a
    second time.
    """
    iccid = session.iccid(profile)
    session.confirm(
        f"Delete {_named(session, iccid)}? This cannot be undone, and its activation code is used up.",
        yes=yes,
    )
    _say(session, session.client.delete(session.euicc(), iccid, missing_ok=missing_ok), f"{iccid} is deleted")


@command(cli, "rename")
@click.argument("profile", shell_complete=complete_profile)
@click.argument("nickname")
@no_wait
def rename(session: Session, profile: str, nickname: str) -> None:
    """Give a profile a nickname; '' removes the nickname."""
    iccid = session.iccid(profile)
    _say(session, session.client.rename(session.euicc(), iccid, nickname), f"{iccid} is renamed")


@command(cli, "default-smdp")
@click.argument("address")
@no_wait
def default_smdp(session: Session, address: str) -> None:
    """Write the default SM-DP+ address to the card; '' removes the address."""
    _say(session, session.client.set_default_smdp(session.euicc(), address), "the address is written")


@command(cli, "reset")
@click.option(
    "--operational", is_flag=True, help="Delete all operational profiles, including the enabled one."
)
@click.option("--test", is_flag=True, help="Delete the downloaded test profiles.")
@click.option("--default-smdp", is_flag=True, help="Reset the default SM-DP+ address.")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@accepting
@no_wait
def reset(
    session: Session, operational: bool, test: bool, default_smdp: bool, yes: bool, accept_offline: bool
) -> None:
    """Reset the card's memory."""
    if not (operational or test or default_smdp):
        raise click.UsageError("choose what to reset: --operational, --test, --default-smdp")
    name = session.euicc()
    session.confirm(f"Reset the memory of {name}? Deleted profiles cannot be restored.", yes=yes)
    change = session.accepted(
        lambda accepted: session.client.reset(
            name,
            operational_profiles=operational,
            test_profiles=test,
            default_smdp=default_smdp,
            accept_offline=accepted,
        ),
        accept_offline=accept_offline,
    )
    _say(session, change, f"{name} is reset")


@command(cli, "restart-modem")
@no_wait
def restart_modem(session: Session) -> None:
    """Restart a modem whose card cannot be reached, or that has not noticed a switch.

    The modem's connection is interrupted. lpad itself restarts the modem a few times; 'lpactl status' shows
    these restarts.
    """
    _say(session, session.client.restart_modem(session.euicc()), "the modem is restarted")


@command(cli, "cancel")
@click.argument("change_id", type=int, shell_complete=complete_change)
def cancel(session: Session, change_id: int) -> None:
    """Cancel a change at its next safe point."""
    change = session.client.cancel(change_id, wait=1)
    _tell_state(session, change)


@command(cli, "answer")
@click.argument("change_id", type=int, shell_complete=complete_change)
@_confirmation_code
@_confirmation_code_file
@click.option("--accept", "decision", flag_value="accept", help="Install the profile that was shown.")
@click.option(
    "--reject", "decision", flag_value="reject", help="Reject the profile permanently; the order ends."
)
@click.option(
    "--postpone", "decision", flag_value="postpone", help="Postpone the installation; the order stays valid."
)
@click.option("--yes", "confirm", flag_value="yes", help="Answer yes, for example to another order.")
@click.option("--no", "confirm", flag_value="no", help="Answer no.")
@no_wait
def answer(
    session: Session,
    change_id: int,
    confirmation_code: str | None,
    confirmation_code_file: TextIO | None,
    decision: str | None,
    confirm: str | None,
) -> None:
    """Answer a waiting change with the confirmation code, the decision, or the yes or no that it asks for.

    After a confirmation code, the command waits until the server has accepted or refused it.
    """
    hide(confirmation_code)
    if confirmation_code_file is not None:
        confirmation_code = confirmation_code_file.readline().strip()
    if sum(each is not None for each in (confirmation_code, decision, confirm)) != 1:
        raise click.UsageError("give either a confirmation code, a decision, or --yes or --no")
    question = session.client.change(change_id).question if confirmation_code is not None else None
    change = session.client.answer(
        change_id,
        confirmation_code=confirmation_code,
        decision=decision,
        confirm=None if confirm is None else confirm == "yes",
    )
    if confirmation_code is not None and session.wait:
        _code_judged(session, change_id, None if question is None else question.until)
        change = session.client.change(change_id)
    _tell_state(session, change)


def _named(session: Session, iccid: str) -> str:
    """Return the name and ICCID of a profile for a question; only the ICCID if its name is unknown."""
    try:
        profiles = session.client.profiles(session.euicc())
    except ApiError:
        profiles = []
    found = next((each for each in profiles if iccid in (each.iccid, each.isdp_aid)), None)
    name = None if found is None else found.nickname or found.name
    return safe(f"profile {iccid}" if name is None else f"profile '{name}' ({iccid})")


def _code_judged(session: Session, change_id: int, asked: object) -> None:
    """Wait until the server has judged a confirmation code; a refused code ends the program.

    Args:
        session: the command's session.
        change_id: the change that received the code.
        asked: the time limit of the question that the code answers.
    """
    change = None
    for event in session.client.follow(change_id):
        if event.type != "change":
            continue
        change = event.change
        question = change.question
        if question is not None and question.until != asked:
            break
        if change.ended or change.pause is not None or (change.steps and change.steps[-1].name in _JUDGED):
            break
    if change is None:
        return
    if change.question is not None and change.question.code_refused:
        session.output.note(
            f"the server refused the confirmation code; change {change_id} waits for another code until"
            f" {change.question.until:%H:%M:%S} UTC"
        )
        sys.exit(exit_codes.NEEDS_PEOPLE)
    change.check()


def _tell_state(session: Session, change: Change) -> None:
    if session.output.as_json:
        session.show_change(change)
    else:
        session.output.line(f"change {change.id}: {change.state}")


def _say(session: Session, change: Change, sentence: str) -> None:
    change = session.finish(change)
    if change.ended and not session.output.as_json:
        already = bool(change.result and change.result.get("already"))
        session.output.line(f"{sentence}{', as before' if already else ''}")
        _remark(session, change)


def _remark(session: Session, change: Change) -> None:
    """Print the remark about the modem in a successful change's result."""
    remark = (change.result or {}).get("remark")
    if remark is not None:
        session.output.note(safe(str(remark)))
