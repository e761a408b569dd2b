"""The API's own description, as it is served: made once, when it is first asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from lpad.api.call import Call


async def describe(call: Call) -> Response:  # noqa: ARG001 - it tells everybody the same
    """Return this document."""
    return Response(_document(), media_type="application/json")


@cache
def _document() -> bytes:
    from lpad.api.openapi import document  # noqa: PLC0415 - few ask for it
    from lpad.api.routes import ROUTES  # noqa: PLC0415 - which names this module

    return msgspec.json.encode(document(ROUTES))
