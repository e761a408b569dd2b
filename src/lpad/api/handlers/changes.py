"""Changes: show, answer and cancel them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import StreamingResponse

from lpad.api.request.api_call import change_response, submission_response
from lpad.api.request.bodies import AnswerRequest
from lpad.api.request.etag import known, not_modified
from lpad.base.errors import InvalidValue
from lpad.engine.running.answer import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.engine.change.change import Change

PAGE = 20
"""The number of changes that are read and written at a time."""


async def list_changes(call: Call) -> Response:
    """List the stored changes, newest first; `?euicc=` shows one card's."""
    # Every update of a change is an event, so the latest event's ID identifies the state of all of them.
    tag = f'W/"{call.engine.last_event_id}"'
    if known(call, tag):
        return not_modified(tag)
    page = partial(call.engine.changes, euicc=call.query.get("euicc"), limit=PAGE)
    first = await asyncio.to_thread(page)
    return StreamingResponse(_listed(page, first), media_type="application/json", headers={"ETag": tag})


async def _listed(page: Callable[..., list[Change]], changes: list[Change]) -> AsyncIterator[bytes]:
    """Write a ChangeList page by page, so that many slow readers do not fill the memory."""
    before = b'{"changes":['
    while changes:
        yield before + b",".join(map(msgspec.json.encode, changes))
        before = b","
        oldest = changes[-1].id
        changes = await asyncio.to_thread(page, before=oldest)
    yield b"]}" if before == b"," else before + b"]}"


async def get_change(call: Call) -> Response:
    """Show a change; with `?wait=` once it has ended or asks a question."""
    change = await asyncio.to_thread(call.engine.change, call.change_id)
    response = await change_response(call, change)
    response.status_code = 200
    return response


async def cancel_change(call: Call) -> Response:
    """Cancel a change at its next safe point."""
    change = await asyncio.to_thread(call.engine.cancel, call.change_id)
    return await change_response(call, change)


async def answer_change(call: Call) -> Response:
    """Give a waiting change the confirmation code, the decision or the confirmation that it asks for."""
    body = call.body_of(AnswerRequest)
    if sum(each is not None for each in (body.confirmation_code, body.decision, body.confirm)) != 1:
        raise InvalidValue(
            "an answer must contain exactly one of 'confirmation_code', 'decision' and 'confirm'"
        )
    return await _answer(
        call,
        Answer(confirmation_code=body.confirmation_code, decision=body.decision, confirm=body.confirm),
    )


async def confirm_change(call: Call) -> Response:
    """Confirm a guarded switch that waits for it: the same as the answer `{"confirm": true}`."""
    return await _answer(call, Answer(confirm=True))


async def _answer(call: Call, answer: Answer) -> Response:
    key = call.key("answer", call.change_id, answer)
    submission = await asyncio.to_thread(call.engine.answer, call.change_id, answer, key=key)
    return await submission_response(call, submission)
