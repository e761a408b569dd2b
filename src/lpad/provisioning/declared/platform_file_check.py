"""Checks of a platform's file without a network: placeholders, calls, samples, states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import InvalidSettings, MalformedError
from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.declared.call_execution import read_fields
from lpad.provisioning.declared.reservation_reading import reservation
from lpad.provisioning.declared.template import mistakes, placeholders
from lpad.provisioning.http.httpx_transport import server_of
from lpad.provisioning.platform_interface import Activates, Finds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.provisioning.declared.platform_declaration import Call, Declaration


def check(declaration: Declaration) -> list[str]:
    """Return the mistakes in a description, one sentence each; empty if there are none."""
    found = [*_templates(declaration), *_calls(declaration), *_samples(declaration)]
    return list(dict.fromkeys(found))


def _templates(declaration: Declaration) -> Iterator[str]:
    used: set[str] = set()
    for where, template in _all_templates(declaration):
        for wrong in mistakes(template):
            yield f"{where}: {wrong}"
        used |= {name for name, _ in placeholders(template)}
    credentials = {name.removeprefix("credential.") for name in used if name.startswith("credential.")}
    for name in sorted(credentials - {*declaration.credentials}):
        yield f"the credential '{name}' is used, but not listed under 'credentials'"
    for name in sorted({*declaration.credentials} - credentials):
        yield f"the credential '{name}' is listed, but not used"
    options = {name.removeprefix("option.") for name in used if name.startswith("option.")}
    for name in sorted(options - {*declaration.options}):
        yield f"the option '{name}' is used, but 'options' does not describe it"
    if "token.value" in used and declaration.token is None:
        yield "'{token.value}' is used, but 'token' is missing"
    if "sign" in used and declaration.sign is None:
        yield "'{sign}' is used, but 'sign' is missing"


def _all_templates(declaration: Declaration) -> Iterator[tuple[str, str]]:
    for name, template in declaration.headers.items():
        yield f"headers.{name}", template
    for template in declaration.basic or ():
        yield "basic", template
    if declaration.sign is not None:
        yield "sign.key", declaration.sign.key
        yield "sign.text", declaration.sign.text
    if declaration.token is not None:
        token = declaration.token
        for part in (token.headers, token.form, token.json, token.basic):
            yield from (("token", template) for template in _texts(part))
    for name, call in declaration.calls.named().items():
        yield from _of_call(f"calls.{name}", call)


def _of_call(where: str, call: Call) -> Iterator[tuple[str, str]]:
    yield where, call.path
    for part in (call.query, call.headers, call.form, call.json, call.match):
        yield from ((where, template) for template in _texts(part))
    if call.then is not None:
        yield from _of_call(f"{where}.then", call.then)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _texts(each)


def _calls(declaration: Declaration) -> Iterator[str]:
    calls, can = declaration.calls, declaration.can
    wanted = {
        "order": can.orders,
        "look": True,
        "find": can.finds is not Finds.NOTHING,
        "activate": can.activates is not Activates.NEVER,
        "release": can.releases,
    }
    for name, needed in wanted.items():
        if needed and getattr(calls, name) is None:
            yield f"'can' requires the call '{name}', which is missing"
    if can.orders and calls.order is not None and "id" not in calls.order.read:
        yield "calls.order must read an 'id', with which lpad queries the order"
    if can.finds is Finds.NOTHING and not can.repeats and can.orders:
        yield (
            "lpad can neither find nor repeat an order: after a lost answer only a person can find out "
            "whether the platform accepted the order; include {reference} in the request"
        )
    for name, call in calls.named().items():
        for field, table in (("profile", declaration.profile), ("line", declaration.line)):
            if field in call.read and not table:
                yield f"calls.{name} reads '{field}', but the table '{field}' is empty"
    urls = [declaration.base] if declaration.base is not None else []
    for url in [*urls, *([declaration.token.post] if declaration.token is not None else [])]:
        try:
            server_of(url)
        except InvalidSettings as error:
            yield error.sentence


def _samples(declaration: Declaration) -> Iterator[str]:
    for name, answers in declaration.samples.items():
        first, _, rest = name.partition(".")
        call = declaration.calls.named().get(first)
        if call is not None and rest == "then":
            call = call.then
        if call is None:
            yield f"samples.{name}: there is no call of this name"
            continue
        for number, answer in enumerate(answers):
            yield from _sample(f"samples.{name}[{number}]", call, answer, declaration)


def _sample(where: str, call: Call, answer: Any, declaration: Declaration) -> Iterator[str]:
    entries = [answer] if call.each is None else reading.at(call.each, answer)
    if not isinstance(entries, list):
        yield f"{where}: there is no list at '{call.each}'"
        return
    for entry in entries:
        fields = read_fields(call, entry)
        if not fields:
            yield f"{where}: the call reads no field of this sample"
        if call is declaration.calls.products:
            continue
        try:
            seen = reservation(fields, declaration, platform="")
        except MalformedError as error:
            yield f"{where}: {error.sentence}"
            continue
        for word in seen.unknown:
            yield f"{where}: the state '{word}' is in no table"
