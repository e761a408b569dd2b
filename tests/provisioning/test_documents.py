"""docs/provisioning.md and the platforms' pages are complete, and their settings files are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lpad.daemon.platforms.operator_platforms import operator_platforms
from lpad.provisioning.declared.answer_verdict import WHAT_TO_DO
from lpad.provisioning.declared.platform_declaration import Calls, Can, Declaration
from lpad.provisioning.declared.platform_file import shipped
from lpad.remote.https.proxy_and_interface import Route
from lpad.settings import SettingsFile

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "platforms").glob("*.md")}
GUIDE = (DOCS / "provisioning.md").read_text(encoding="utf-8")


def settings_in(text: str) -> list[str]:
    """Return the settings files with platforms in a page."""
    return [each for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "platforms:" in each]


@pytest.mark.parametrize("page", ["provisioning", *shipped()])
def test_the_settings_are_right(tmp_path: Path, page: str) -> None:
    """Each settings file in a page is valid if its credentials exist, and describes the right platform."""
    text = GUIDE if page == "provisioning" else PAGES[page]
    found = settings_in(text)
    assert found
    for each in found:
        path = tmp_path / "lpad.yaml"
        path.write_text(each, encoding="utf-8")
        for section in yaml.safe_load(each)["platforms"].values():
            for name in section["credentials"].values():
                (tmp_path / name).write_text("secret")
                (tmp_path / name).chmod(0o600)
        made = operator_platforms(SettingsFile.read(path), route=Route())
        assert [one.settings.like for one in made] == ["desk" if page == "provisioning" else page]


def test_every_platform_has_a_page_that_reports_its_costs() -> None:
    """Each shipped platform has a page, which has a line on costs, and a row in the guide."""
    assert {*PAGES} == {*shipped()}
    for name, text in PAGES.items():
        assert "\nCosts: " in text
        assert f"| `{name}` |" in GUIDE


def test_every_cause_is_explained() -> None:
    """The guide's table lists each cause of a refusal, except `used-code`."""
    rows = set(re.findall(r"^\| `([a-z-]+)` \| ", GUIDE, re.MULTILINE))
    assert {*WHAT_TO_DO} - rows == {"used-code"}


def test_every_key_of_a_description_is_named() -> None:
    """docs/provisioning.md names each key, call and capability of a platform file."""
    told = {*re.findall(r"`([a-z_]+)`", GUIDE)}
    keys = {*Declaration.__struct_fields__} - {"title", "documentation", "credentials", "options"}
    assert keys | {*Calls.__struct_fields__} | {*Can.__struct_fields__} <= told


def test_the_tests_that_are_named_exist() -> None:
    """Each test that docs/provisioning.md cites exists."""
    root = DOCS.parent
    cited = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z_]+)`", GUIDE)
    assert len(cited) > 30
    for path, name in cited:
        assert f"def {name}(" in (root / path).read_text(encoding="utf-8"), (path, name)
