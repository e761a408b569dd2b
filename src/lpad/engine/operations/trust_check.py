"""Checking a server's trust as a change: its result is the report, also where the server is untrusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lpad.base.deadline import Deadline
from lpad.base.server_address import ServerAddress

if TYPE_CHECKING:
    from lpad.engine.change.change import Json
    from lpad.engine.running.context import Context
    from lpad.engine.running.run import Run


def check_trust(run: Run, context: Context) -> dict[str, Json]:
    """Shake hands with a server on behalf of the card, send nothing, and report.

    Raises:
        ServerUnreachable: there is no server to ask.
    """
    run.step("check-trust")
    address = ServerAddress.parse(str(run.params["address"]))
    deadline = Deadline.after(context.timeouts.delivery, cancellation=run.interruption)
    with context.connect(address, context.snapshot().eid or "") as server:
        report = server.check_trust(deadline=deadline)
    # By way of JSON, so that it is the same before and after the journal: tuples become lists.
    shown: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(report))
    return shown
