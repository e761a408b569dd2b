"""Checking a server's trust as a change: the result is the report, even if the server is untrusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.server_address import ServerAddress
from lpad.engine.change.params import CheckTrustParams

if TYPE_CHECKING:
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.remote.trust.server_trust_report import TrustReport


def check_trust(run: Run, context: Context) -> TrustReport:
    """Make a TLS handshake with a server on behalf of the card, without a request; return the report.

    Raises:
        ServerUnreachable: the server cannot be reached.
    """
    run.step("check-trust")
    address = ServerAddress.parse(run.change.params_of(CheckTrustParams).address)
    deadline = Deadline.after(context.timeouts.delivery, cancellation=run.interruption)
    with context.connect(address, context.snapshot().eid or "") as server:
        return server.check_trust(deadline=deadline)
