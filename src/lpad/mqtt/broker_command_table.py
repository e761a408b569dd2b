"""The commands of a broker's clients, as a table: each operation with its fields and its request to lpad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.client import Change, Client

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
Conditions = Annotated[list[Name], msgspec.Meta(max_length=16)]
Within = Annotated[float, msgspec.Meta(gt=0, le=7 * 24 * 3600)]

SECRETS = frozenset({"activation_code", "confirmation_code"})
"""Fields that lpad-mqtt removes from a command's message as soon as lpad has the command."""


class CommandFields(msgspec.Struct, frozen=True, kw_only=True):
    """The field of every command: its card, which may be omitted if lpad has only one card."""

    card: Name | None = None


class DownloadFields(CommandFields, frozen=True, kw_only=True):
    """A download; without a code, from the default SM-DP+. `guard`: null for none, absent for the default."""

    activation_code: Code | None = None
    confirmation_code: Code | None = None
    enable: bool = False
    guard: Conditions | msgspec.UnsetType | None = msgspec.UNSET
    within: Within = 180
    network: dict[str, str | int | bool | None] | None = None


class DiscoverFields(CommandFields, frozen=True, kw_only=True):
    """A discovery; without `servers`, at the SM-DSs of the card and of the settings."""

    install: bool = False
    confirm: bool = False
    servers: Annotated[list[Name], msgspec.Meta(max_length=8)] = []


class EnableFields(CommandFields, frozen=True, kw_only=True):
    """The profile to enable, by its ICCID or AID, and its guard as in a download."""

    profile: Name
    guard: Conditions | msgspec.UnsetType | None = msgspec.UNSET
    within: Within = 180


class ProvisionFields(CommandFields, frozen=True, kw_only=True):
    """A request to a platform; all fields may be omitted. For an open wish, lpad asks the platform again."""

    platform: Name | None = None
    product: Name | None = None
    options: dict[Name, Name] | None = None


class Operation(Frozen):
    """An operation: its fields, and the function that sends its request, with an idempotency key, to lpad."""

    fields: type[CommandFields]
    request: Callable[[Client, Any, str, str], Change]


def _guard(asked: list[str] | msgspec.UnsetType | None) -> list[str] | None:
    return [] if asked is msgspec.UNSET else asked


def _download(lpad: Client, asked: DownloadFields, card: str, key: str) -> Change:
    return lpad.download(
        card,
        activation_code=asked.activation_code,
        confirmation_code=asked.confirmation_code,
        enable=asked.enable,
        guard=_guard(asked.guard),
        within=asked.within,
        network=asked.network,
        key=key,
    )


def _enable(lpad: Client, asked: EnableFields, card: str, key: str) -> Change:
    return lpad.enable(card, asked.profile, guard=_guard(asked.guard), within=asked.within, key=key)


def _discover(lpad: Client, asked: DiscoverFields, card: str, key: str) -> Change:
    return lpad.discover(card, install=asked.install, confirm=asked.confirm, servers=asked.servers, key=key)


def _provision(lpad: Client, asked: ProvisionFields, card: str, key: str) -> Change:
    return lpad.provision(
        card, platform=asked.platform, product=asked.product, options=asked.options, key=key
    )


def _refresh(lpad: Client, asked: CommandFields, card: str, key: str) -> Change:  # noqa: ARG001 - one signature for all operations
    return lpad.refresh(card, key=key)


OPERATIONS: dict[str, Operation] = {
    "discover": Operation(DiscoverFields, _discover),
    "download": Operation(DownloadFields, _download),
    "enable": Operation(EnableFields, _enable),
    "provision": Operation(ProvisionFields, _provision),
    "refresh": Operation(CommandFields, _refresh),
}
