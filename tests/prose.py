"""Finds habits of wording that make a text hard to read, by patterns in documents, docstrings and messages.

    python tests/prose.py [FILE...]      without a file: all files of EDITED

A pattern does not know grammar, and may find a good sentence. Write such a sentence differently.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]

EDITED = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "config/*.yaml",
    "docs/*.md",
    "docs/decisions/*.md",
    "docs/platforms/*.md",
    "examples/README.md",
    "hil/README.md",
    "hil/conformance.md",
    "bench/*.py",
    "faults/**/*.py",
    "fuzz/*.py",
    "hil/**/*.py",
    "package/*.py",
    "script/*",
    "src/lpad/**/*.py",
    "tests/**/*.py",
)
"""The files to check, as patterns."""


@dataclass(frozen=True, slots=True)
class Habit:
    """One habit of wording: its pattern, and a suggestion."""

    pattern: re.Pattern[str]
    instead: str


def _habit(pattern: str, instead: str) -> Habit:
    return Habit(re.compile(pattern), instead)


HABITS = (
    _habit(r"^ *(<{7}|={7}|>{7})( |$)", "the text that both sides of the merge meant"),
    _habit(
        r"(?<!here )\b(is|are|was|were) no (?!longer\b|more\b|less\b)[A-Za-z-]+",
        "'is not a', 'is not valid', 'unknown'",
    ),
    _habit(r"(?<!here )\b(is|are|was|were) none\b", "'there is none', 'is missing', 'is empty'"),
    _habit(r"(?:^|[.;:,(] )[Ww]here (it|lpad|the|a|an|there|nothing|no|one) ", "'if' or 'when'"),
    _habit(
        r"\b(profile|version|state|step|name|value|owner|address|one) before\b(?! [a-z])", "'the previous …'"
    ),
    _habit(r"\banew\b", "'again' or a verb with re-"),
    _habit(r"\b(also|even)? ?over restarts\b", "'across restarts'"),
    _habit(r"\bheld? against\b", "'check against', 'compare with'"),
    _habit(r"\b(lets?|letting) go( of)?\b", "'release'"),
    _habit(r"\b([Aa]ny|[Ss]ome|[Ee]very|[Nn]o)body\b|\b[Ww]hoever\b", "name the actor, or use the passive"),
    _habit(r"(?:^|[.;:] )[Ww]ho ([a-z]+s|can|may)\b(?![^.]*\?)", "'a program that …'"),
    _habit(r"(?:^|[.;:] )What (is|was|has|can|may|it|lpad|a|the) [^?]*$", "a noun in place of 'what …'"),
    _habit(r"\b(all|everything|anything) that (is|was|are|were) [a-z]+\b", "an adjective before the noun"),
    _habit(r"\b(stands|stood) (in|on|beside|there|above|below)\b", "'is', 'are'"),
    _habit(r"\btells? of\b|\bis told\b|\bare told\b", "'reports', 'describes', 'is reported'"),
    _habit(r"\bburns?\b", "'uses up'"),
    _habit(r"\b[Bb]esides?\b", "'in addition to', 'next to'"),
    _habit(r"\b(go(es|ing)?|went) (on|wrong)\b(?! (the|a) )", "'continue', 'fail'"),
    _habit(r"\b[Ww]hat (came|comes|became|becomes) of\b", "'the result of'"),
    _habit(r"\b(None|[Ee]mpty|[Nn]othing|[Nn]one|False|True)[,;]? where\b", "'if'"),
    _habit(r"\bfor good\b", "'permanently'"),
    _habit(r"\bat once\b", "'immediately', 'at the same time'"),
    _habit(r"\b(but for|all but|for all that|all the same)\b", "'except', 'nevertheless'"),
    _habit(
        r"\b(says?|said|tells?|told) (so|why|what|when|which|whether|how|where|nothing)\b",
        "'states', 'explains', 'shows', 'the reason is in'",
    ),
    _habit(r"\bas `[^`]+` (says?|tells?)\b", "'(see `…`)', 'according to `…`'"),
    _habit(r"\bin vain\b", "'without success'"),
    _habit(r"\bmute\b", "'silent', 'does not answer'"),
    _habit(r"\bany more[.;:]", "'no longer'"),
    _habit(
        r"\b[Tt]he most (bytes|characters|entries|seconds|lines|times|switches|copies|requests)\b",
        "'the maximum number of …'",
    ),
    _habit(r"\bnonsense\b|\blies (in|on|beyond|below|above)\b", "'invalid', 'is'"),
    _habit(r"\bthe time is over\b|\bto and fro\b|\bwithout a word\b", "'has passed', plain words"),
    _habit(r'^[a-z]*"""(What|Who|Where) (?!.*\?)', "a noun in place of 'what …'"),
    _habit(
        r"\blooks (again|once)\b|\b(one|one more|another|the last|the next) look\b",
        "'checks', 'queries', 'a check'",
    ),
    _habit(r"\bunasked\b(?!:)", "'without a request', 'by itself'"),
    _habit(r"\bvouch(es|ed|ing)?\b", "'confirms', 'proves'"),
    _habit(r"\bpass(ed|es|ing)? over\b", "'ignored', 'skipped', 'left out'"),
    _habit(
        r"\b(is|does|do|are|was|were|has|have|did|could|would|should|must)n't\b|\bcan't\b", "'not' in full"
    ),
)


SHOWING = ("tests/prose.py", "tests/test_prose.py")
"""The files that contain the habits as patterns or examples."""

_SHELL_PROSE = re.compile(r"""(?:^| )# .*|echo "[^"]*\"""")
"""The comments of a shell script, and its messages."""

_WORD = re.compile(r"""[a-z]*(["'])[^"'\s]+\1""")
"""A string literal of one word, which is a value of the program and not prose."""


_MARGIN = re.compile(r"^[\s#]*")
"""The indentation and the comment mark at the beginning of a line."""


def found(text: str) -> Iterator[tuple[str, Habit]]:
    """Yield each match of a habit in a text, with the habit."""
    for habit in HABITS:
        for match in habit.pattern.finditer(text):
            yield match[0].strip(), habit


def passages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the prose of a file by line: comments, strings of several words, Markdown without code."""
    text = path.read_text(encoding="utf-8")
    if text.startswith("#!/bin/sh") or path.parent.name == "script":
        for number, line in enumerate(text.splitlines(), 1):
            yield from ((number, prose) for prose in _SHELL_PROSE.findall(line))
        return
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT) and not _WORD.fullmatch(token.string):
                yield from enumerate(token.string.splitlines(), token.start[0])
        return
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`", "`…`", line)


def edited() -> list[Path]:
    """Return the paths of all files to check."""
    found = {path for pattern in EDITED for path in ROOT.glob(pattern)}
    return sorted(found - {ROOT / name for name in SHOWING})


def broken(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, Habit]]:
    """Yield each match of a habit that a line break divides, with the number of its first line."""
    for (number, line), (following, second) in pairwise(lines):
        first = line.rstrip()
        if following != number + 1 or not first or not (rest := _MARGIN.sub("", second)):
            continue
        for habit in HABITS:
            for match in habit.pattern.finditer(f"{first} {rest}"):
                if match.start() < len(first) < match.end() and not habit.pattern.search(line):
                    yield number, match[0].strip(), habit


def reports(paths: Iterable[Path]) -> Iterator[str]:
    """Yield a message for each match of a habit in the files."""
    for path in paths:
        lines = list(passages(path))
        places = [(number, words, habit) for number, line in lines for words, habit in found(line)]
        for number, words, habit in [*places, *broken(lines)]:
            yield f"{path.relative_to(ROOT)}:{number}: '{words}': write {habit.instead}"


def main(names: list[str]) -> int:
    """Check the named files, or by default those of EDITED; return the exit code."""
    lines = list(reports([Path(name).resolve() for name in names] or edited()))
    for line in lines:
        print(line, file=sys.stderr)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
