"""The options of a guarded switch, which several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable


_F = TypeVar("_F", bound="Callable[..., None]")


class Limit(TypedDict, total=False):
    """The time limit of a guard, in seconds, as an argument of the client."""

    within: float


def guarded(command: _F) -> _F:
    """Add the options `--guard`, `--within` and `--no-guard` to a command."""
    within = click.option(
        "--within", type=float, metavar="SECONDS", help="Time for the conditions to be met.  [default: 180]"
    )
    guard = click.option(
        "--guard",
        multiple=True,
        metavar="CONDITION",
        help="Return to the previous profile unless this condition is met: registered, bearer, address,"
        " confirm, tcp:HOST:PORT@INTERFACE, http://HOST/PATH#STATUS@INTERFACE or dns:NAME@INTERFACE."
        " Repeatable.",
    )
    none = click.option(
        "--no-guard", is_flag=True, help="Switch without a guard, even if the settings name a default guard."
    )
    return guard(within(none(command)))


def asked_guard(guard: tuple[str, ...], *, no_guard: bool) -> tuple[str, ...] | None:
    """Return the conditions in the client's form: empty for the default guard, None for no guard.

    Raises:
        UsageError: a guard is requested together with --no-guard.
    """
    if guard and no_guard:
        raise click.UsageError("give either --guard or --no-guard")
    return None if no_guard else guard


def limit(guard: tuple[str, ...], within: float | None) -> Limit:
    """Return the time limit in the client's form; empty for lpad's default.

    Raises:
        UsageError: a time limit is given without a guard.
    """
    if within is not None and not guard:
        raise click.UsageError("--within needs --guard: it limits how long the guard waits")
    return {} if within is None else {"within": within}
