"""Entity tags, with which a repeated request gets a short answer if nothing has changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from lpad.api.request.api_call import Call


def known(call: Call, tag: str) -> bool:
    """Return whether the caller has the content with this tag, by If-None-Match (RFC 9110, 13.1.2)."""
    given = [each.strip() for each in call.headers.get("if-none-match", "").split(",")]
    return "*" in given or tag.removeprefix("W/") in [each.removeprefix("W/") for each in given]


def not_modified(tag: str) -> Response:
    """Return the answer for a caller that already has the content."""
    return Response(status_code=304, headers={"ETag": tag})


def tagged(call: Call, response: Response) -> Response:
    """Add an entity tag to a GET answer, or answer 304 if the caller already has the content."""
    if response.status_code != 200 or isinstance(response, StreamingResponse):
        return response
    tag = f'"{hashlib.blake2s(bytes(response.body), digest_size=12).hexdigest()}"'
    if known(call, tag):
        return not_modified(tag)
    response.headers["ETag"] = tag
    return response
