"""script/release builds and tags a ready release; it refuses any other before it builds or tags."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = {
    "build-wheel": "dist/lpad-1.2.3.whl",
    "build-deb": "dist/lpad_1.2.3.deb",
    "build-sbom": "dist/lpad-1.2.3.cdx.json",
}
"""The scripts that build, replaced by stubs, and the file that each stub makes."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository that is ready for the release of 1.2.3, with stubs of the build scripts."""
    (tmp_path / "src/lpad").mkdir(parents=True)
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/release", tmp_path / "script/release")
    for name, built in BUILT.items():
        stub = tmp_path / "script" / name
        stub.write_text(f"#!/bin/sh\nmkdir -p dist\ntouch {built}\necho {built}\n", encoding="utf-8")
        stub.chmod(0o755)
    (tmp_path / "src/lpad/__init__.py").write_text('__version__ = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text("## 1.2.3 (2026-11-29)\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "user.name", "a")
    git(tmp_path, "config", "user.email", "a@example.com")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "a step")


def refused(folder: Path) -> str:
    """Run script/release, check that it ends with 1 without building or tagging, return its error."""
    done = subprocess.run(
        ["script/release", "--checked"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, (folder / "dist").exists()) == (1, False)
    assert tags_of(folder) in ([], ["v1.2.3"])
    return done.stderr


def tags_of(folder: Path) -> list[str]:
    return subprocess.run(
        ["git", "tag"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.split()


def commit_of(folder: Path, name: str) -> str:
    return subprocess.run(
        ["git", "rev-parse", f"{name}^{{commit}}"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(("options", "tags"), [([], ["v1.2.3"]), (["--dry-run"], [])])
def test_a_ready_release_is_built_and_tagged(checkout: Path, options: list[str], tags: list[str]) -> None:
    """A ready release is built, with checksums, and its commit is tagged; --dry-run makes no tag."""
    subprocess.run(["script/release", "--checked", *options], cwd=checkout, check=True)
    sums = (checkout / "dist/SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert sorted(f"dist/{line.split()[1]}" for line in sums) == sorted(BUILT.values())
    assert tags_of(checkout) == tags
    for tag in tags:
        assert commit_of(checkout, tag) == commit_of(checkout, "HEAD")


def test_a_development_version_is_refused(checkout: Path) -> None:
    """A development version is refused."""
    (checkout / "src/lpad/__init__.py").write_text('__version__ = "1.3.0.dev0"\n', encoding="utf-8")
    commit(checkout)
    assert "version 1.3.0.dev0 is a development version" in refused(checkout)


@pytest.mark.parametrize("changelog", ["## Unreleased\n", "## 1.2.3\n", "## 1.2.30 (2026-11-29)\n"])
def test_a_version_without_a_section_is_refused(checkout: Path, changelog: str) -> None:
    """A version without a section with its date in the changelog is refused."""
    (checkout / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    commit(checkout)
    assert 'no section "## 1.2.3 (YYYY-MM-DD)"' in refused(checkout)


def test_entries_that_were_left_under_unreleased_are_refused(checkout: Path) -> None:
    """A changelog with entries under "Unreleased" is refused; the heading without entries is not."""
    section = "## 1.2.3 (2026-11-29)\n\n- Something.\n"
    (checkout / "CHANGELOG.md").write_text(f"## Unreleased\n\n- A thing.\n\n{section}", encoding="utf-8")
    commit(checkout)
    assert "move them to the section of 1.2.3" in refused(checkout)
    (checkout / "CHANGELOG.md").write_text(f"## Unreleased\n\n{section}", encoding="utf-8")
    git(checkout, "tag", "v1.2.3")
    commit(checkout)
    assert "the tag v1.2.3 exists already" in refused(checkout)


def test_a_tree_with_changes_is_refused(checkout: Path) -> None:
    """A tree with uncommitted changes is refused, because only committed files are built."""
    (checkout / "new").touch()
    assert "not committed" in refused(checkout)


def test_a_version_is_released_once(checkout: Path) -> None:
    """A version whose tag exists is refused."""
    git(checkout, "tag", "v1.2.3")
    assert "the tag v1.2.3 exists already" in refused(checkout)


def test_an_unknown_option_is_refused(checkout: Path) -> None:
    """With a misspelt option, script/release only prints its usage, and ends with 2."""
    done = subprocess.run(
        ["script/release", "--dry"], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "script/release [--checked] [--dry-run]" in done.stderr
