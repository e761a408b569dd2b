"""Credentials for platforms, each in a separate file that only lpad can read.

The settings name the file. A name without a slash may be a systemd credential (LoadCredential=), which
systemd puts into a folder that only this service sees.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.base.regular_file import read_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 16 * 1024
_OTHERS = 0o077


def read_credentials(files: Mapping[str, str], *, resolve: Callable[[str], Path]) -> dict[str, str]:
    """Return credentials by name.

    Args:
        files: the path of each credential's file.
        resolve: a function that turns a path in the settings into an absolute path.

    Raises:
        InvalidSettings: a file cannot be read, other users may read it, or it is not one line of text.
    """
    return {name: read_credential(file, resolve=resolve) for name, file in files.items()}


def read_credential(file: str, *, resolve: Callable[[str], Path]) -> str:
    """Return the content of a credential's file, without the line break at its end.

    Raises:
        InvalidSettings: the file cannot be read, other users may read it, or it is not one line of text.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if "/" not in file and folder is not None and (Path(folder) / file).exists():
        path, systemd = Path(folder) / file, True
    else:
        path, systemd = resolve(file), False
    try:
        # systemd's own folder may have a group's permission bits, but admits no other users.
        if not systemd and path.stat().st_mode & _OTHERS:
            raise InvalidSettings(
                f"other users can read {path}, which contains a credential; run: chmod 600 {path}"
            )
        content = read_regular(path, most=_LARGEST + 1)
    except OSError as error:
        raise InvalidSettings(
            f"cannot read the credential in {path}: {error.strerror}; a name without a slash can also be"
            " a systemd credential (LoadCredential=)"
        ) from error
    try:
        text = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"the credential in {path} is not text") from error
    if not text or len(content) > _LARGEST or "\n" in text or "\r" in text:
        raise InvalidSettings(f"the credential in {path} must be one line that is not empty")
    return text
