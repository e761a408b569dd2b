"""The redaction of identifiers and activation codes in log lines."""

from __future__ import annotations

import logging

import pytest

from lpad.base.redaction import redacted
from lpad.daemon.log.logging_format import RedactingFormatter


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("profile 8900101000000000017 is gone", "profile …0017 is gone"),
        ("8900101000000000017F, padded", "…0017, padded"),
        ("profile 898600B5000000000015 is gone", "profile …0015 is gone"),
        ("898600b500000000001e, in lower case", "…001e, in lower case"),
        ("898600B50000000015FF, padded", "…15, padded"),
        ("89ABCDEABCDEABC and ABCDEABCDEABCDEABCDE", "…EABC and …BCDE"),
        ("swapped 9868005B000000000051", "swapped …0051"),
        ("accede deface facade 0xDEADBEEF cafebabe8badf00d-", "accede deface facade 0xDEADBEEF …f00d-"),
        ("ISD-R A0000005591010FFFFFFFF8900000100", "ISD-R A0000005591010FFFFFFFF8900000100"),
        ("cannot delete profile 898600B5123: it is enabled", "cannot delete profile …5123: it is enabled"),
        ("from profile 8944 to profile 1FFF: no", "from profile … to profile …: no"),
        ("ICCID: 89860012345678, ICCID 898600B", "ICCID: …5678, ICCID …"),
        ("profile ABBA, profile 8944x, profile 89-44", "profile ABBA, profile 8944x, profile …-44"),
        ("EID 89049032123451234512345678901235.", "EID …1235."),
        ("IMEI 490154203237518", "IMEI …7518"),
        ("got LPA:1$smdp.example.com$MATCHING-ID$$1.", "got LPA:1$smdp.example.com$…"),
        ("'1$smdp.example.com$MATCHING-ID'", "'1$smdp.example.com$…'"),
        ("change 12345678901234 of 12462 bytes", "change 12345678901234 of 12462 bytes"),
        ("key 34e66e30a8753fbde2bff58e6980e32290092ed5", "key 34e66e30a8753fbde2bff58e6980e32290092ed5"),
    ],
)
def test_identifiers_keep_their_last_digits(text: str, expected: str) -> None:
    """Numbers as long as an IMEI or EID are shortened, shorter ones only after "profile" or "ICCID"."""
    assert redacted(text) == expected


def test_arguments_and_tracebacks_are_redacted_too() -> None:
    """The whole line is redacted, whatever part of it contains the number."""
    error = ValueError("8900101000000000017")
    trace = (ValueError, error, None)
    record = logging.LogRecord("lpad", logging.ERROR, "x.py", 1, "%s", ("490154203237518",), trace)
    line = RedactingFormatter("%(message)s").format(record)
    assert "8900101000000000017" not in line
    assert "490154203237518" not in line
