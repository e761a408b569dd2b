"""Templates: text with placeholders, and no expressions.

    {eid} {reference} {product} {imei}      of the wish
    {id} {line_id} {iccid}                  of the reservation
    {tag}                                   of the owner, to group lines
    {option.NAME} {credential.NAME}         of the settings
    {token.value} {token.second}            of the token
    {now_ms} {now_s} {path} {body} {sign}   of the request that is about to be sent

A question mark, as in `{option.email?}`, makes a placeholder optional. A template that is only an optional
placeholder without a value is omitted from its mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lpad.base.errors import InvalidSettings
from lpad.base.lazy_pattern import LazyPattern

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping

_PLACEHOLDER = LazyPattern(r"\{([a-z_]+(?:\.[A-Za-z0-9_-]+)?)(\?)?\}")
_ANY_BRACE = LazyPattern(r"[{}]")
PLAIN = frozenset({"eid", "reference", "product", "imei", "id", "line_id", "iccid", "tag"})
OF_REQUEST = frozenset({"now_ms", "now_s", "path", "body", "sign", "token.value", "token.second"})
FAMILIES = ("option.", "credential.")


class Missing(InvalidSettings):
    """A required placeholder has no value."""


def placeholders(template: str) -> Iterator[tuple[str, bool]]:
    """Yield the name of each placeholder, and whether it is optional."""
    for found in _PLACEHOLDER.finditer(template):
        yield found[1], found[2] is not None


def mistakes(template: str) -> list[str]:
    """Return the mistakes in a template: unknown placeholders, stray braces."""
    wrong = [
        f"unknown placeholder {{{name}}}"
        for name, _ in placeholders(template)
        if name not in PLAIN and name not in OF_REQUEST and not name.startswith(FAMILIES)
    ]
    if _ANY_BRACE.search(_PLACEHOLDER.sub("", template)):
        wrong.append(f"a brace that belongs to no placeholder in '{template}'")
    return wrong


def filled(template: str, values: Mapping[str, str], *, encode: Callable[[str], str] = str) -> str | None:
    """Return a template with its placeholders filled.

    Returns:
        The text; None if the template is only an optional placeholder without a value.

    Raises:
        Missing: a placeholder that is not optional has no value.
    """
    whole = _PLACEHOLDER.fullmatch(template)
    if whole is not None and whole[2] and whole[1] not in values:
        return None

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in values:
            return encode(values[name])
        if found[2]:
            return ""
        raise Missing(
            f"the platform's calls need '{name}', which has no value; {_where(name)}",
            placeholder=name,
        )

    return _PLACEHOLDER.sub(value, template)


def filled_path(template: str, values: Mapping[str, str]) -> str:
    """Return a path with its placeholders filled and percent-encoded, so that an id cannot add a segment."""
    text = filled(template, values, encode=lambda value: quote(value, safe=""))
    return text or ""


def filled_tree(template: Any, values: Mapping[str, str]) -> Any:
    """Return JSON with the templates in it filled; a mapping loses the keys whose templates are omitted."""
    if isinstance(template, str):
        return filled(template, values)
    if isinstance(template, dict):
        pairs = ((key, filled_tree(inner, values)) for key, inner in template.items())
        return {key: inner for key, inner in pairs if inner is not None}
    if isinstance(template, list):
        return [inner for each in template if (inner := filled_tree(each, values)) is not None]
    return template


def _where(name: str) -> str:
    family, _, rest = name.partition(".")
    if family == "option":
        return f"set 'options.{rest}' of the platform in the settings, or give --option {rest}=VALUE"
    if family == "credential":
        return f"set 'credentials.{rest}' of the platform in the settings to the path of a file"
    if name == "product":
        return (
            "set 'product' of the platform in the settings, or give --product; 'lpad platform products'"
            " lists them"
        )
    return "the platform did not report this value"
