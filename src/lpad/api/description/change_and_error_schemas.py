"""The schemas that depend on a kind: a change by its kind, and an error by its kind.

Each kind has one object with all its fields instead of a combination of two objects, because generators of
clients read only the first object of a combination.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from lpad.api.description.schemas import REF
from lpad.api.request.problem import problems
from lpad.base.errors import details_by_kind
from lpad.engine.change.types_by_kind import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lpad.api.description.schemas import Schema


def by_kind(components: Schema, refs: Mapping[type, Schema], *, statuses: Iterable[int]) -> None:
    """Replace the schemas of a change, of an error in a change, and of a problem by one schema for each kind.

    Args:
        components: all schemas by name; those of `Change`, `Failure` and `Problem` are replaced.
        refs: references to the schemas of types.
        statuses: the HTTP statuses of problems.
    """
    _changes(components, refs)
    _failures(components, refs)
    _problems(components, refs, statuses)


def problem_ref(status: int) -> Schema:
    """Return a reference to the schema of the problems with an HTTP status."""
    kinds = problems(status)
    return {"$ref": f"{REF}{_title(kinds[0])}Problem" if len(kinds) == 1 else f"{REF}Problem{status}"}


def _changes(components: Schema, refs: Mapping[type, Schema]) -> None:
    record = components.pop("Change")
    named = {}
    for kind, row in KINDS.items():
        result = {"anyOf": [refs[row.result], {"type": "null"}]}
        own = {"kind": _only(kind.value), "params": refs[row.params], "result": result}
        named[kind.value] = f"{_title(kind)}Change"
        components[named[kind.value]] = _narrowed(record, own, f"a change of the kind {kind}")
    components["Change"] = _one_of(named, record["description"])


def _failures(components: Schema, refs: Mapping[type, Schema]) -> None:
    record = components.pop("Failure")
    named = {}
    for kind, type_ in details_by_kind().items():
        named[kind] = f"{_title(kind)}Failure"
        own = {"kind": _only(kind), "details": refs[type_]}
        components[named[kind]] = _narrowed(record, own, f"the error {kind} in a change")
    components["Failure"] = _one_of(named, "An error in a change; its kind decides the type of its details.")


def _problems(components: Schema, refs: Mapping[type, Schema], statuses: Iterable[int]) -> None:
    record = components.pop("Problem")
    kinds: dict[str, list[int]] = {}
    for status in sorted(statuses):
        named = {kind: f"{_title(kind)}Problem" for kind in problems(status)}
        components[f"Problem{status}"] = _one_of(named, f"An error with the HTTP status {status}.")
        for kind in named:
            kinds.setdefault(kind, []).append(status)
    for kind, answered in kinds.items():
        own = {
            "type": _only(f"urn:lpad:error:{kind}"),
            "status": {"type": "integer", "enum": answered},
            "kind": _only(kind),
            "details": refs[details_by_kind()[kind]],
        }
        components[f"{_title(kind)}Problem"] = _narrowed(record, own, f"the answer with the error {kind}")


def _narrowed(record: Schema, own: Schema, description: str) -> Schema:
    """Return a copy of an object's schema in which some fields have a schema of their own."""
    copy = deepcopy(record)
    copy.pop("title", None)
    copy["description"] = f"{description[:1].upper()}{description[1:]}."
    copy["properties"] |= own
    return copy


def _one_of(named: Mapping[str, str], description: str) -> Schema:
    mapping = {kind: f"{REF}{name}" for kind, name in named.items()}
    return {
        "description": description,
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }


def _only(value: str) -> Schema:
    return {"type": "string", "const": value}


def _title(kind: str) -> str:
    """Return a kind, without the suffix `-error`, as the beginning of a schema's name."""
    return "".join(map(str.title, kind.removesuffix("-error").split("-")))
