"""Compute a digest of the Debian package's inputs, so that the package is built again only if they change.

`python package/deb_inputs.py WHEEL WORD...` prints the digest. File times do not count: the wheel has the
times of the last commit, which may have changed nothing in the package.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SOURCES = (
    "CHANGELOG.md",
    "README.md",
    "config",
    "docs",
    "examples",
    "package/completion.py",
    "package/debian",
    "package/manual.py",
    "package/man",
    "package/requirements.txt",
    "script/build-deb",
    "systemd",
)
"""The inputs of script/build-deb from the repository, in addition to the wheel."""


def digest(wheel: Path, root: Path, words: Sequence[str]) -> str:
    """Return a digest of everything that goes into the package.

    Args:
        wheel: lpad's wheel.
        root: the repository.
        words: further inputs, such as the version of the interpreter.

    Returns:
        64 hexadecimal digits (SHA-256).
    """
    found = hashlib.sha256()
    for part in _parts(wheel, root, words):
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def _parts(wheel: Path, root: Path, words: Sequence[str]) -> Iterator[bytes]:
    yield from (word.encode() for word in words)
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            yield name.encode()
            yield archive.read(name)
    for path in _files(root / each for each in SOURCES):
        yield str(path.relative_to(root)).encode()
        yield b"x" if path.stat().st_mode & 0o100 else b"-"
        yield path.read_bytes()


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        found = sorted(source.rglob("*")) if source.is_dir() else [source]
        yield from (each for each in found if each.is_file() and "__pycache__" not in each.parts)


if __name__ == "__main__":
    sys.stdout.write(digest(Path(sys.argv[1]), Path(__file__).parents[1], sys.argv[2:]) + "\n")
