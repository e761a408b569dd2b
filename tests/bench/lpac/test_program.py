"""lpac's answer: the last line of type "lpa" is the result, whatever was printed before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.lpac.program import Lpac, failure

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS = (
    '{"type":"progress","payload":{"code":0,"message":"es10b_load_bound_profile_package","data":null}}\n'
)
DONE = '{"type":"lpa","payload":{"code":0,"message":"success","data":null}}\n'
FAILED = '{"type":"lpa","payload":{"code":-1,"message":"es9p_initiate_authentication","data":"8.1"}}\n'


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        (PROGRESS + DONE, None),
        (PROGRESS + FAILED, "es9p_initiate_authentication (8.1)"),
        (PROGRESS, "it printed no result"),
        ("", "it printed no result"),
    ],
)
def test_only_a_result_counts_as_success(printed: str, found: str | None) -> None:
    """Progress does not count as a result, and a missing result is a failure."""
    assert failure(printed) == found


def test_a_failed_command_is_an_error(tmp_path: Path) -> None:
    """The error names the command and lpac's reason, although lpac ends with status 0."""
    program = tmp_path / "lpac"
    program.write_text(f"#!/bin/sh\necho '{FAILED.strip()}'\n", encoding="ascii")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match=r"notification process -a -r.*es9p_initiate_authentication"):
        Lpac(program, reader="any").deliver()
