"""Completion of cards, profiles and changes at the shell, from the running daemon."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from lpad.cli.terminal.output import safe
from lpad.client import DEFAULT_SOCKET, ApiError, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import click
    from click.shell_completion import CompletionItem

    from lpad.client import Change

_PATIENCE = 2.0
"""Seconds until the shell continues without suggestions."""
_CHANGES = 20

_T = TypeVar("_T")


def complete_card(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of cards that begin with the input, each with its state."""
    cards = _asked(ctx, lambda client: client.euiccs())
    return [_item(each.name, help=each.state) for each in cards if each.name.startswith(incomplete)]


def complete_profile(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the ICCIDs of profiles whose ICCID, name or nickname begins with the input, with names."""

    def profiles(client: Client) -> list[CompletionItem]:
        chosen = ctx.params.get("euicc") or ctx.find_root().params.get("euicc")
        names = [chosen] if chosen else [each.name for each in client.euiccs()]
        return [
            _item(
                profile.iccid,
                help=safe(", ".join(part for part in (profile.name, profile.nickname) if part)),
            )
            for name in names
            for profile in client.profiles(str(name))
            if profile.iccid.startswith(incomplete.upper())
            or any(
                part.lower().startswith(incomplete.lower())
                for part in (profile.name, profile.nickname)
                if part
            )
        ]

    return list(_asked(ctx, profiles))


def complete_change(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the recent changes whose number begins with the input, each with its kind and state."""

    def changes(client: Client) -> Sequence[Change]:
        return client.changes(limit=_CHANGES)

    return [
        _item(str(each.id), help=f"{each.kind} on {each.euicc}: {each.state}")
        for each in _asked(ctx, changes)
        if str(each.id).startswith(incomplete)
    ]


def _asked(ctx: click.Context, ask: Callable[[Client], Sequence[_T]]) -> Sequence[_T]:
    """Ask the daemon; return an empty list if no answer comes soon, because the shell waits for this list."""
    root = ctx.find_root().params
    socket = str(ctx.params.get("socket") or root.get("socket") or DEFAULT_SOCKET)
    found: list[_T] = []

    def run() -> None:
        # An error message would disturb the input at the shell's prompt.
        with suppress(ApiError), Client(socket) as client:
            found.extend(ask(client))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return list(found)


def _item(value: str, *, help: str) -> CompletionItem:  # noqa: A002 - click's name
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only a shell needs it

    return CompletionItem(value, help=help)
