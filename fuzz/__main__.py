"""Run one target under atheris: `python -m fuzz TARGET --seconds N`; script/fuzz runs all targets."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"
SECONDS_PER_INPUT = 5
MEGABYTES = 1024
"""The memory limit of the whole process; Python, lpad and atheris need about 150 MiB."""


def main() -> None:
    """Search for an input that crashes a target, or exceeds the limit of time or memory.

    The first such input is written to the findings folder and reported, and ends the search.
    """
    parser = argparse.ArgumentParser(prog="script/fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="folder for inputs that reach new code")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    chosen = parser.parse_args()
    with atheris.instrument_imports(include=["lpad"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415  atheris instruments these imports
    if chosen.target not in TARGETS:
        parser.error(f"there is no target {chosen.target}; the targets are {', '.join(TARGETS)}")
    target = TARGETS[chosen.target]
    chosen.findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = chosen.corpus or Path(scratch)
        corpus.mkdir(exist_ok=True, parents=True)
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={chosen.seconds}",
                f"-max_len={target.limit}",
                f"-timeout={SECONDS_PER_INPUT}",
                f"-rss_limit_mb={MEGABYTES}",
                f"-artifact_prefix={chosen.findings}/{target.name}-",
                "-print_final_stats=1",
                str(corpus),
                str(CORPUS / target.name),
            ],
            target.run,
        )
        atheris.Fuzz()


main()
