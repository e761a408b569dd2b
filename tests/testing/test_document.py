"""The examples of docs/testing.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"
PREAMBLE = """
import subprocess
import sys

import pytest

def run_my_program(_option, socket, _verb, name):
    subprocess.run(
        [sys.executable, "-m", "lpad.cli.lpactl", "--socket", socket, "enable", name], check=True
    )


"""


def test_each_example_passes_unchanged(pytester: pytest.Pytester) -> None:
    """Each example in docs/testing.md passes unchanged."""
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    pytester.makepyfile(PREAMBLE + "\n\n".join(examples))
    done = pytester.runpytest_subprocess("-p", "lpad.testing.plugin", "-W", "error", "--strict-markers")
    done.assert_outcomes(passed="\n".join(examples).count("def test_"))
