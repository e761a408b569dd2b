"""Carries out declared calls: fills templates, sends, checks answers, follows pages, and reads entries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

import lpad
from lpad.base.errors import InvalidSettings, PlatformUnclear
from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.declared.answer_verdict import judged
from lpad.provisioning.declared.platform_auth import VALUES
from lpad.provisioning.declared.template import filled, filled_path, filled_tree
from lpad.provisioning.http.httpx_transport import DEADLINE, server_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lpad.base.deadline import Deadline
    from lpad.provisioning.declared.platform_declaration import Call, Declaration

MOST_PAGES = 50
"""The maximum number of pages of one list; a list by EID or reference has one page."""


class Caller:
    """The client of one platform; only one thread may use it."""

    def __init__(
        self,
        platform: str,
        declaration: Declaration,
        *,
        base: str,
        transport: httpx.BaseTransport,
        auth: httpx.Auth,
    ) -> None:
        """Create the HTTP client; no connection is made yet.

        Raises:
            InvalidSettings: `base` is not https.
        """
        self._platform = platform
        self._declaration = declaration
        self._base = base.rstrip("/")
        self._server = server_of(base)
        self._client = httpx.Client(
            transport=transport,
            auth=auth,
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": f"lpad/{lpad.__version__}", "Accept": "application/json"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self, call: Call, values: Mapping[str, str], *, attempted: str, deadline: Deadline
    ) -> dict[str, str]:
        """Carry out a call for one object; return the values that it reads, by name.

        If the answer is a list, its first matching entry is read; without a match, the result is empty.

        Raises:
            PlatformRefused, PlatformBusy, PlatformUnclear, ServerError, Cancelled: see `Platform`.
        """
        fields = next(self.entries(call, values, attempted=attempted, deadline=deadline), {})
        if call.then is not None:
            known = {**values, **fields}
            then = self.call(call.then, known, attempted=attempted, deadline=deadline)
            fields = {**fields, **then}
        return fields

    def entries(
        self, call: Call, values: Mapping[str, str], *, attempted: str, deadline: Deadline
    ) -> Iterator[dict[str, str]]:
        """Carry out a call; yield the values of each matching entry, page by page.

        Raises:
            PlatformRefused, PlatformBusy, PlatformUnclear, ServerError, Cancelled: see `Platform`.
        """
        wanted = {name: filled(template, values) for name, template in call.match.items()}
        url: str | None = f"{self._base}{filled_path(call.path, values)}"
        extra: dict[str, str] = {}
        first = True
        visited: set[str] = set()
        for _ in range(MOST_PAGES):
            answer, url, extra = self._page(
                call, values, str(url), extra, first=first, attempted=attempted, deadline=deadline
            )
            for entry in self._listed(call, answer, attempted):
                fields = read_fields(call, entry)
                if all(value is None or fields.get(name) == value for name, value in wanted.items()):
                    yield fields
            if url is None:
                return
            mark = f"{url} {sorted(extra.items())}"
            if mark in visited:
                raise self._unclear(attempted, "the platform's list leads back to an earlier page")
            visited.add(mark)
            first = False
        raise self._unclear(attempted, f"the platform's list has more than {MOST_PAGES} pages")

    def _page(
        self,
        call: Call,
        values: Mapping[str, str],
        url: str,
        extra: Mapping[str, str],
        *,
        first: bool,
        attempted: str,
        deadline: Deadline,
    ) -> tuple[Any, str | None, dict[str, str]]:
        """Return a page's answer, and the next page's address and parameters; None: this is the last page."""
        query = filled_tree(call.query, values) if first or call.next_header else {}
        try:
            response = self._client.request(
                call.method,
                url,
                params={**query, **extra} or None,
                data=None if call.form is None else filled_tree(call.form, values),
                content=None if call.json is None else json.dumps(filled_tree(call.json, values)).encode(),
                headers={
                    **({"Content-Type": "application/json"} if call.json is not None else {}),
                    **filled_tree(call.headers, values),
                },
                extensions={DEADLINE: deadline, VALUES: values},
            )
        except (UnicodeError, httpx.InvalidURL) as error:
            raise self._unclear(
                attempted, "a value has characters that a request's address or header cannot contain"
            ) from error
        answer = judged(response, call, self._declaration, platform=self._platform, attempted=attempted)
        if call.next_header is not None:
            assert call.next_query is not None, "the declaration is checked"
            mark = response.headers.get(call.next_header)
            return answer, url if mark else None, {call.next_query: mark} if mark else {}
        following = reading.text_at(call.next, answer) if call.next is not None else None
        if following is None:
            return answer, None, {}
        try:
            following = urljoin(url, following)
            elsewhere = server_of(following) != self._server
        except (InvalidSettings, ValueError):
            elsewhere = True
        if elsewhere:
            raise self._unclear(
                attempted,
                "the next page of the platform's list is at another server, which lpad does not contact",
            )
        return answer, following, {}

    def _listed(self, call: Call, answer: Any, attempted: str) -> list[Any]:
        if call.each is None:
            return [answer]
        found = reading.at(call.each, answer)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self._unclear(attempted, f"'{call.each}' is not a list of entries")
        return found

    def _unclear(self, attempted: str, why: str) -> PlatformUnclear:
        return PlatformUnclear(
            f"the platform '{self._platform}' cannot {attempted}: {why}; check its file with 'lpad"
            " platform check'",
            platform=self._platform,
        )


def read_fields(call: Call, entry: Any) -> dict[str, str]:
    """Return the values that a call reads from an entry, by name; missing and null values are omitted."""
    read = (
        (name, reading.tags_at(path, entry) if name == reading.TAGS else reading.text_at(path, entry))
        for name, path in call.read.items()
    )
    return {name: value for name, value in read if value is not None}
