"""The API's handlers for changes: list, show, answer, confirm and cancel them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import StreamingResponse

from lpad.api.request.api_call import MOST_CHANGES, change_response, submission_response
from lpad.api.request.etag import known, not_modified
from lpad.api.request.pagination import limit_of
from lpad.api.request.request_bodies import AnswerRequest
from lpad.base.errors import InvalidValue
from lpad.base.untrusted_number import whole_number
from lpad.engine.running.change_question_answer import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.responses import Response

    from lpad.api.request.api_call import Call
    from lpad.engine.change.change import Change

PAGE = 20
"""The maximum number of changes that are read and written at a time."""


async def list_changes(call: Call) -> Response:
    """List stored changes, newest first; `?euicc=` selects a card, `?limit=` and `?before=` a page."""
    query, limit = call.query, limit_of(call)
    page = partial(call.engine.changes, euicc=query.get("euicc"))
    before = _before(call)
    # Every update of a change is an event, so the latest event's ID identifies the state of all changes.
    tag = f'W/"{call.engine.last_event_id}"'
    if known(call, tag):
        return not_modified(tag)
    first = await asyncio.to_thread(page, before=before, limit=_of(limit))
    listed = _listed(page, first, limit)
    return StreamingResponse(listed, media_type="application/json", headers={"ETag": tag})


def _before(call: Call) -> int | None:
    text = call.query.get("before")
    number = None if text is None else whole_number(text, least=1, most=MOST_CHANGES)
    if text is not None and number is None:
        raise InvalidValue(f"'before' must be a number from 1 to {MOST_CHANGES}")
    return number


def _of(limit: int | None) -> int:
    return PAGE if limit is None else min(PAGE, limit)


async def _listed(
    page: Callable[..., list[Change]], changes: list[Change], limit: int | None
) -> AsyncIterator[bytes]:
    """Yield a ChangeList in portions, so that many slow clients do not fill the memory."""
    beginning = b'{"changes":['
    following: int | None = None
    while changes:
        yield beginning + b",".join(map(msgspec.json.encode, changes))
        beginning = b","
        oldest = changes[-1].id
        if limit is not None:
            limit -= len(changes)
            if limit == 0:
                following = oldest if await asyncio.to_thread(page, before=oldest, limit=1) else None
                break
        changes = await asyncio.to_thread(page, before=oldest, limit=_of(limit))
    end = b'],"next":' + msgspec.json.encode(following) + b"}"
    yield end if beginning == b"," else beginning + end


async def get_change(call: Call) -> Response:
    """Show a change; `?wait=` delays the answer until the change has ended or asks a question."""
    change = await asyncio.to_thread(call.engine.change, call.change_id)
    response = await change_response(call, change)
    response.status_code = 200
    return response


async def cancel_change(call: Call) -> Response:
    """Cancel a change at its next safe point."""
    change = await asyncio.to_thread(call.engine.cancel, call.change_id)
    return await change_response(call, change)


async def answer_change(call: Call) -> Response:
    """Answer a waiting change with the confirmation code, decision or confirmation that it asks for."""
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
    """Confirm a guarded switch that waits for a confirmation: the same as the answer `{"confirm": true}`."""
    return await _answer(call, Answer(confirm=True))


async def _answer(call: Call, answer: Answer) -> Response:
    key = call.key("answer", call.change_id, answer)
    submission = await asyncio.to_thread(call.engine.answer, call.change_id, answer, key=key)
    return await submission_response(call, submission)
