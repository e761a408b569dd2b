"""Changes: look at them, answer them, take them back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lpad.api.bodies import ChangeList
from lpad.api.call import change_response, json_response, submission_response
from lpad.engine.job import Answer
from lpad.errors import InvalidValue

if TYPE_CHECKING:
    from starlette.responses import Response

    from lpad.api.call import Call


async def list_changes(call: Call) -> Response:
    """List the changes that are kept, newest first; `?euicc=` shows one card's."""
    changes = await asyncio.to_thread(call.engine.changes, euicc=call.query.get("euicc"))
    return json_response(ChangeList(changes=changes))


async def get_change(call: Call) -> Response:
    """Show a change; with `?wait=` once it has ended or asks something."""
    change = await asyncio.to_thread(call.engine.change, call.change_id)
    response = await change_response(call, change)
    response.status_code = 200
    return response


async def cancel_change(call: Call) -> Response:
    """Take a change back at its next safe point."""
    change = await asyncio.to_thread(call.engine.cancel, call.change_id)
    return await change_response(call, change)


async def answer_change(call: Call) -> Response:
    """Give a waiting change the confirmation code, or the decision, that it asks for."""
    body = call.body
    if (body.confirmation_code is None) is (body.decision is None):
        raise InvalidValue("an answer has either a 'confirmation_code' or a 'decision'")
    answer = Answer(confirmation_code=body.confirmation_code, decision=body.decision)
    key = call.key("answer", call.change_id, answer)
    submission = await asyncio.to_thread(call.engine.answer, call.change_id, answer, key=key)
    return await submission_response(call, submission)
