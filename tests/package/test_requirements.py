"""The libraries in the Debian package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PINNED = dict(
    re.findall(
        r"^([a-z0-9-]+)==([^ ]+) \\",
        (ROOT / "package" / "requirements.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


def test_each_library_is_pinned_to_an_allowed_version() -> None:
    """Each library that the package needs is pinned to a version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    packaged = [library for name in ("modemmanager", "mqtt", "pcsc", "platforms") for library in extras[name]]
    for each in map(Requirement, [*project["dependencies"], *packaged]):
        assert each.specifier.contains(PINNED[each.name.lower()]), each


def test_each_pinned_file_has_a_hash() -> None:
    """Each pinned library has a SHA-256 hash."""
    text = (ROOT / "package" / "requirements.txt").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z])", text):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_advisories_that_were_looked_at() -> None:
    """Each line of package/advisories.txt names a pinned library and a reason."""
    lines = (ROOT / "package" / "advisories.txt").read_text(encoding="utf-8").splitlines()
    pinned = (ROOT / "package" / "requirements.txt").read_text(encoding="utf-8")
    for line in lines:
        if not line.startswith("#"):
            _, library, why = line.split(" ", 2)
            assert f"\n{library}==" in pinned
            assert why
