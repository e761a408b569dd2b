"""Made-up CIs that lpad knows by name during a test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from lpad.codec.x509 import known_certificate_issuers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def knowing(folder: Path, *, production: bytes, test: bytes) -> Iterator[None]:
    """Replace lpad's table of known CIs with two CIs, given by their key identifiers."""
    table = folder / "known_certificate_issuers.tsv"
    table.write_text(
        f"{production.hex()}\tSome CI\tproduction\n{test.hex()}\tSome other CI\ttest\n", encoding="utf-8"
    )
    with patch.object(known_certificate_issuers, "_TABLE", table):
        known_certificate_issuers.known_issuers.cache_clear()
        try:
            yield
        finally:
            known_certificate_issuers.known_issuers.cache_clear()
