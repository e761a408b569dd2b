"""The authentication of requests: headers, token and signature, as a flow that httpx runs.

no token, or it expires soon         get a token first
the token is refused                 get another token, once, and repeat the request
the clock's offset was just learnt   sign the refused request with the offset, once, and repeat it
"""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING

import httpx

from lpad.base.errors import MalformedError, PlatformRefused, PlatformUnclear, ServerFailed
from lpad.base.redaction import redacted
from lpad.base.untrusted_number import decimal_number
from lpad.provisioning.declared import answer_reading as reading
from lpad.provisioning.declared.answer_verdict import busy
from lpad.provisioning.declared.hmac_signature import signature
from lpad.provisioning.declared.template import filled, filled_tree
from lpad.provisioning.http.httpx_transport import redirected

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from lpad.provisioning.declared.platform_declaration import Declaration
    from lpad.provisioning.http.clock_offset import ClockOffset
    from lpad.provisioning.http.token_store import Token, Tokens

VALUES = "lpad.values"
"""The key in an httpx request's `extensions` for the values of the placeholders in the request."""
_LONGEST_LIFE = 10 * 365 * 86400


class PlatformAuth(httpx.Auth):
    """Authenticates requests to one platform."""

    requires_request_body = True
    requires_response_body = True

    def __init__(
        self,
        platform: str,
        declaration: Declaration,
        *,
        credentials: Mapping[str, str],
        tokens: Tokens,
        offset: ClockOffset,
    ) -> None:
        self._platform = platform
        self._declaration = declaration
        self._credentials = {f"credential.{name}": value for name, value in credentials.items()}
        self._tokens = tokens
        self._offset = offset

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with its authentication, and again if the token or the clock was wrong."""
        declared = self._declaration.token
        token = self._tokens.current()
        fresh = token is None
        if declared is not None and token is None:
            token = self._taken((yield self._token_request(request)))
        response = yield self._signed(request, token)
        learnt = self._offset.learn(response.headers.get("date"))
        if declared is not None and not fresh and response.status_code in declared.renew:
            self._tokens.forget()
            token = self._taken((yield self._token_request(request)))
            response = yield self._signed(request, token)
        if self._declaration.sign is not None and learnt and 400 <= response.status_code < 500:
            yield self._signed(request, token)

    def _signed(self, request: httpx.Request, token: Token | None) -> httpx.Request:
        now = self._offset.now()
        values = {
            **self._credentials,
            **request.extensions[VALUES],
            "now_ms": str(round(now * 1000)),
            "now_s": str(math.floor(now)),
            "path": request.url.path,
            "body": request.content.decode("utf-8", "replace"),
        }
        if token is not None:
            values |= {"token.value": token.value, "token.second": token.second}
        if self._declaration.sign is not None:
            values["sign"] = signature(self._declaration.sign, values)
        for name, template in self._declaration.headers.items():
            value = filled(template, values)
            if value is not None:
                request.headers[name] = value
        if self._declaration.basic is not None:
            request.headers["Authorization"] = _basic(self._declaration.basic, values)
        return request

    def _token_request(self, request: httpx.Request) -> httpx.Request:
        declared = self._declaration.token
        assert declared is not None, "a token is requested only if the platform declares one"
        headers = {name: filled(value, self._credentials) or "" for name, value in declared.headers.items()}
        headers.setdefault("Accept", "application/json")
        headers["User-Agent"] = request.headers["User-Agent"]
        if declared.basic is not None:
            headers["Authorization"] = _basic(declared.basic, self._credentials)
        return httpx.Request(
            "POST",
            declared.post,
            headers=headers,
            data=None if declared.form is None else filled_tree(declared.form, self._credentials),
            content=None
            if declared.json is None
            else json.dumps(filled_tree(declared.json, self._credentials)).encode(),
            extensions={**request.extensions},
        )

    def _taken(self, response: httpx.Response) -> Token:
        """Keep the token in an answer, and return it.

        Raises:
            PlatformRefused: the platform does not accept these credentials.
            PlatformBusy, ServerFailed, PlatformUnclear: the platform issued no token, but may do so later.
        """
        declared = self._declaration.token
        assert declared is not None, "a token is requested only if the platform declares one"
        self._offset.learn(response.headers.get("date"))
        status = response.status_code
        attempted = f"cannot get a token from the platform '{self._platform}'"
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise busy(response, f"{attempted}: the platform asks to try again later", self._platform)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise ServerFailed(
                f"{attempted}: HTTP {status}; lpad tries again", http_status=status, platform=self._platform
            )
        if response.is_redirect:
            raise redirected(attempted, status)
        try:
            answer = reading.parsed(response.content)
        except MalformedError as error:
            raise PlatformUnclear(f"{attempted}: {error.sentence}", platform=self._platform) from error
        value = reading.text_at(declared.read.get("value", ""), answer)
        if not response.is_success or value is None:
            words = _words(answer)
            raise PlatformRefused(
                f"{attempted}: HTTP {status}{f', {words}' if words else ''}; check the files listed under"
                " 'credentials' in the settings",
                platform=self._platform,
                cause="credentials",
                words=redacted(words),
            )
        told = reading.text_at(declared.read["seconds"], answer) if "seconds" in declared.read else None
        seconds = decimal_number(told, most=_LONGEST_LIFE) if told is not None else None
        second = reading.text_at(declared.read["second"], answer) if "second" in declared.read else None
        return self._tokens.keep(value, second or "", seconds=seconds or declared.lives)


def _basic(parts: list[str], values: Mapping[str, str]) -> str:
    pair = ":".join(filled(part, values) or "" for part in parts)
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _words(answer: object) -> str:
    named = ("error", "error_description", "message", "errorMessage", "msg")
    return reading.said(" ".join(words for name in named if (words := reading.text_at(name, answer))))
