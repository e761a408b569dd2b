"""The check of wording (tests/prose.py) finds listed expressions and accepts plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import prose

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = [
    ("it is no JSON", "it is not valid JSON"),
    ("the certificate is none", "the bytes are not a certificate"),
    ("None: where there is nothing to read", "None: if there is nothing to read"),
    ("it enables the profile before", "it enables the previous profile"),
    ("lpad will start the modem anew", "lpad will restart the modem"),
    ("kept also over restarts", "kept even across restarts"),
    ("beside what it is held against", "next to its reference"),
    ("ModemManager lets go of the port", "ModemManager releases the port"),
    ("it lets anybody download", "anyone who can reach this address can download"),
    ("Wait. Who connects now waits.", "Wait. A program that connects now waits."),
    ("What the modem does otherwise.", "Override the modem's behaviour."),
    ("it shows everything that is pending", "it shows all pending notifications"),
    ("the password stands in the file", "the password is in the file"),
    ("the log tells of it", "the log reports it"),
    ("a case that burns a code", "a case that uses a code up"),
    ("what the calls need besides", "what the calls need in addition"),
    ("what can go wrong", "what can fail"),
    ("lpad goes on with it", "lpad continues with it"),
    ("what came of a switch", "the result of a switch"),
    ("None where the card names none", "None if the card names none"),
    ("it refuses for good", "it refuses permanently"),
    ("it ends at once", "it ends immediately"),
    ("all but one", "all except one"),
    ("the bytes don't fit", "the bytes do not fit"),
    ("the error says why", "the error contains the reason"),
    ("it waits as `Retry-After` says", "it waits for the time in `Retry-After`"),
    ("it tried this in vain", "it tried this without success"),
    ("the server is mute", "the server does not answer"),
    ("nothing uses it any more.", "nothing uses it now."),
    ("the most bytes of an answer", "the maximum number of bytes in an answer"),
    ("an offset that lies beyond the end", "an offset that is beyond the end"),
    ("once the time is over", "once the time has passed"),
    ('"""What the card holds."""', '"""The content of the card."""'),
    ("lpad looks again", "lpad checks again"),
    ("one more look at the modem", "one more check of the modem"),
    ("lpad starts it unasked", "lpad starts it without a request"),
    ("the card vouches for it", "the card confirms it"),
    ("unknown fields are passed over", "unknown fields are ignored"),
    ("    <<<<<<< Updated upstream", "    Args:"),
    ("    =======", "    ===="),
    (">>>>>>> Stashed changes", "    Raises:"),
    ("it lasts no longer", "it is no longer there"),
    ('"""What? The card."""', "at first looks like a failure, and is passed on"),
    ("there is no such port", "None if there is none"),
]


@pytest.mark.parametrize(("odd", "plain"), PAIRS[:-3])
def test_a_habit_is_found_and_its_plain_form_is_not(odd: str, plain: str) -> None:
    """A sentence with a listed expression is found, and the plain sentence for it is not."""
    assert [habit.instead for _, habit in prose.found(odd)]
    assert list(prose.found(plain)) == []


@pytest.mark.parametrize("plain", [plain for pair in PAIRS[-3:] for plain in pair])
def test_ordinary_words_pass(plain: str) -> None:
    """Words that only resemble a listed expression are not found."""
    assert list(prose.found(plain)) == []


def test_code_is_not_prose(tmp_path: Path) -> None:
    """The check ignores code in Markdown, and everything but strings and comments in Python."""
    page = tmp_path / "page.md"
    page.write_text("It is `no JSON` here.\n\n    is no code\n\n```\nanew\n```\nanew\n", encoding="utf-8")
    assert [number for number, line in prose.passages(page) if list(prose.found(line))] == [8]
    module = tmp_path / "module.py"
    module.write_text('anew = 1  # anew\nanybody = """\nanew"""\n', encoding="utf-8")
    assert [number for number, line in prose.passages(module) if list(prose.found(line))] == [1, 3]


def test_a_habit_across_a_line_break_is_found(tmp_path: Path) -> None:
    """An expression with a line break in it is found, but not with the end of a paragraph in it."""
    module = tmp_path / "module.py"
    text = '"""It ends at\n    once.\n\n    at\n\n    once\n"""\n# at\n# once\n'
    module.write_text(text, encoding="utf-8")
    lines = list(prose.passages(module))
    assert [(number, words) for number, words, _ in prose.broken(lines)] == [(1, "at once"), (8, "at once")]


def test_edited_texts_stay_so() -> None:
    """No text in prose.EDITED has a listed expression."""
    assert all(any(prose.ROOT.glob(pattern)) for pattern in prose.EDITED)
    assert list(prose.reports(prose.edited())) == []
