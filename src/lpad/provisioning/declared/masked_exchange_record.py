"""Records whole exchanges for a platform's support, with headers and with masked secrets."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from lpad.base.redaction import redacted
from lpad.base.regular_file import REWRITE, open_regular
from lpad.base.untrusted_number import json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lpad.provisioning.declared.platform_declaration import Call, Declaration
    from lpad.provisioning.http.httpx_transport import Exchange

MASK = "[masked]"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_SHORTEST = 4
"""The minimum number of characters of a secret that is masked within a text."""


class ExchangeRecord:
    """Keeps exchanges, and writes them to a file that only its owner can read."""

    def __init__(self, declaration: Declaration, *, credentials: Mapping[str, str]) -> None:
        self._secrets = [value for value in credentials.values() if len(value) >= _SHORTEST]
        self._headers = _SECRET_HEADERS | {name.lower() for name in declaration.headers}
        self._token = declaration.token.post if declaration.token is not None else None
        self._fields = _secret_fields(declaration.calls.named().values())
        self._kept: list[dict[str, Any]] = []

    def take(self, exchange: Exchange) -> None:
        """Keep an exchange with its secrets masked."""
        whole = exchange.url == self._token  # a token's request and answer are secret as a whole
        self._kept.append(
            {
                "request": {
                    "method": exchange.method,
                    "url": self._masked(exchange.url),
                    "headers": self._shown(exchange.request_headers),
                    "body": MASK if whole else self._body(exchange.request_body),
                },
                "answer": {
                    "status": exchange.status,
                    "headers": self._shown(exchange.answer_headers),
                    "body": MASK if whole else self._body(exchange.answer_body),
                },
            }
        )

    def write(self, path: Path) -> int:
        """Write the exchanges as a JSON list; return their number.

        Raises:
            OSError: the file cannot be written.
        """
        with os.fdopen(open_regular(path, REWRITE, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._kept, file, indent=1, ensure_ascii=False)
        return len(self._kept)

    def _shown(self, headers: Iterable[tuple[str, str]]) -> list[list[str]]:
        return [
            [name, MASK if name.lower() in self._headers else self._masked(value)] for name, value in headers
        ]

    def _body(self, body: bytes) -> Any:
        if not body:
            return ""
        try:
            return self._tree(json_text(json.loads(body)))
        except (ValueError, RecursionError):
            return self._masked(body.decode("utf-8", "replace"))

    def _tree(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: MASK if name in self._fields and inner is not None else self._tree(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list):
            return [self._tree(each) for each in value]
        return self._masked(value) if isinstance(value, str) else value

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text if "$" not in text else redacted(text)


def _secret_fields(calls: Iterable[Call]) -> frozenset[str]:
    """Return the names of the JSON fields that contain activation codes and matching IDs."""
    found: set[str] = set()
    for call in calls:
        each: Call | None = call
        while each is not None:
            found |= {
                path.rpartition(".")[2] for name, path in each.read.items() if name in ("code", "matching")
            }
            each = each.then
    return frozenset(found)
