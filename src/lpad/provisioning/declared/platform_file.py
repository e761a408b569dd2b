"""A platform's YAML file: read, merged with the description that it inherits by `like`, and typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from lpad.base.errors import InvalidSettings
from lpad.base.regular_file import read_regular
from lpad.provisioning.declared.platform_declaration import Declaration

SHIPPED = Path(__file__).parents[1] / "platforms"
LARGEST = 256 * 1024
_LONGEST_LINE = 3
"""The maximum number of files in a row that inherit by `like`."""
_DEEPEST = 32
# libyaml's loader is ten times as fast as PyYAML's own, but PyYAML may lack it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def shipped() -> dict[str, Path]:
    """Return lpad's own descriptions, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def read_declaration(path: Path) -> Declaration:
    """Read a platform's description.

    Raises:
        InvalidSettings: the file cannot be read, is not YAML, has an unknown or missing key, or inherits from
            a file that does not exist.
    """
    return declaration(_inherited(path, left=_LONGEST_LINE), where=str(path))


def declaration(document: Any, *, where: str) -> Declaration:
    """Return the typed form of a description.

    Args:
        document: the parsed YAML or JSON, with everything inherited.
        where: the source, for errors.

    Raises:
        InvalidSettings: a key is unknown, missing, or has a wrong value.
    """
    try:
        return msgspec.convert(document, Declaration, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidSettings(f"{where} does not describe a platform: {error}") from error


def _inherited(path: Path, *, left: int) -> dict[str, Any]:
    document = _load(path)
    like = document.pop("like", None)
    if like is None:
        return document
    if not isinstance(like, str) or left == 0:
        raise InvalidSettings(
            f"{path}: 'like' must name a platform that lpad ships, or a file; at most {_LONGEST_LINE}"
            " files may inherit in a row"
        )
    known = shipped()
    other = known[like] if like in known else path.parent / like
    return _merged(_inherited(other, left=left - 1), document)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` merged in; a value of None removes a key."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(before, dict) and isinstance(value, dict):
            result[key] = _merged(before, value)
        else:
            result[key] = value
    return result


def _load(path: Path) -> dict[str, Any]:
    try:
        content = read_regular(path, most=LARGEST + 1)
    except OSError as error:
        raise InvalidSettings(f"cannot read the platform's file {path}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise InvalidSettings(f"the platform's file {path} is larger than {LARGEST // 1024} KiB")
    try:
        document = yaml.load(content.decode("utf-8"), Loader=_LOADER)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidSettings(f"the platform's file {path} is not YAML: {error}") from error
    if not isinstance(document, dict) or not _shallow(document, _DEEPEST):
        raise InvalidSettings(
            f"the platform's file {path} must contain keys and values, like lpad's own files"
        )
    return document


def _shallow(value: Any, left: int) -> bool:
    """Return whether the nesting is within the limit, which an alias to its own mapping exceeds."""
    if left == 0:
        return False
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_shallow(each, left - 1) for each in inner)
