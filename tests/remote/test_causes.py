"""docs/security.md explains each cause for which lpad does not trust a server."""

from __future__ import annotations

import re
from pathlib import Path

import lpad
from lpad.remote.trust.tls_failure import _VERDICTS
from remote.chain_table import DOCUMENT

ROOT = Path(lpad.__file__).parent


def test_every_cause_is_explained() -> None:
    """The section on causes in docs/security.md lists exactly the causes in the code."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("### Causes\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z-]+)`", section)) - {"server-untrusted", "server-unreachable"}
    source = "".join(
        path.read_text(encoding="utf-8") for room in ("remote", "lpa") for path in (ROOT / room).rglob("*.py")
    )
    raised = {
        cause
        for given in re.findall(r'cause=("[^,\n]+)', source)
        for cause in re.findall(r'"([a-z-]+)"', given)
    }
    assert told == raised | {cause for cause, _ in _VERDICTS.values()}
