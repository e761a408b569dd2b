"""The digest by which the Debian package is built again only if its inputs have changed."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from package.deb_inputs import SOURCES, digest

ROOT = Path(__file__).parents[2]
WORDS = ("1~deb12", "amd64", "Python 3.11.2")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with copies of the package's sources and a wheel."""
    for each in SOURCES:
        target = tmp_path / each
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, target)
        else:
            shutil.copy(ROOT / each, target)
    pack(tmp_path, "pass\n", 1980)
    return tmp_path


def pack(tree: Path, text: str, year: int) -> None:
    with zipfile.ZipFile(tree / "lpad.whl", "w") as archive:
        archive.writestr(zipfile.ZipInfo("lpad/__init__.py", (year, 1, 1, 0, 0, 0)), text)


def made_of(tree: Path, *words: str) -> str:
    return digest(tree / "lpad.whl", tree, words or WORDS)


def test_times_do_not_count(tree: Path) -> None:
    """Times in the wheel and of files do not change the digest."""
    before = made_of(tree)
    pack(tree, "pass\n", 2026)
    (tree / "README.md").touch()
    assert made_of(tree) == before


def test_changed_code_makes_another_package(tree: Path) -> None:
    """A change of lpad's code changes the digest."""
    before = made_of(tree)
    pack(tree, "return\n", 1980)
    assert made_of(tree) != before


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_counts(tree: Path, source: str) -> None:
    """A source file that is changed, added or made executable changes the digest."""
    path = tree / source
    if path.is_dir():
        path = path / "new"
        path.touch()
    seen = [made_of(tree)]
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    seen.append(made_of(tree))
    path.chmod(path.stat().st_mode ^ 0o100)
    seen.append(made_of(tree))
    assert len(set(seen)) == 3


def test_the_target_counts(tree: Path) -> None:
    """Another interpreter changes the digest."""
    assert len({made_of(tree), made_of(tree, *WORDS[:2], "Python 3.13.5"), made_of(tree, *WORDS[:2])}) == 3


def test_no_source_is_missing() -> None:
    """`SOURCES` covers each file of the repository that script/build-deb copies or runs."""
    script = (ROOT / "script" / "build-deb").read_text(encoding="utf-8")
    copied = " ".join(re.findall(r"^ *cp (?:-R )?(.*) \"\$", script, re.MULTILINE)).split()
    run = re.findall(r"python (package/\w+\.py) \"\$stage", script)
    taken = {each for each in [*copied, *run] if not each.startswith('"$')}
    assert len(taken) > 12
    for each in taken:
        assert any(each == source or each.startswith(f"{source}/") for source in SOURCES), each
