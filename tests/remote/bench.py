"""A bench that starts scripted servers and makes ES9+ clients for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.server_address import ServerAddress
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from remote.scripted_server import Reply, ScriptedServer, Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from lpad.remote.trust.trust_anchors import Trust
    from lpad.simulator.pki.credential import Credential
    from lpad.simulator.pki.pki import Pki

NAME = "smdp.example.com"


class Bench:
    """Starts scripted servers, and makes ES9+ clients for them."""

    def __init__(self, pki: Pki, trust: Trust, folder: Path, stack: ExitStack) -> None:
        self.pki = pki
        self.trust = trust
        self.folder = folder
        self.stack = stack

    def server(
        self,
        answer: Callable[[Seen], Reply] | Reply,
        *,
        credential: Credential | None = None,
        **options: Any,
    ) -> ScriptedServer:
        script = (lambda _: answer) if isinstance(answer, Reply) else answer
        shown = credential or self.pki.dp_tls(NAME)
        return self.stack.enter_context(ScriptedServer(script, shown, self.folder, **options))

    def client(
        self, server: ScriptedServer, *, address: str = NAME, trust: Trust | None = None, **options: Any
    ) -> Es9Plus:
        hosts = HostOverrides.parse({address: f"127.0.0.1:{server.port}"})
        return self.stack.enter_context(
            Es9Plus(ServerAddress.parse(address), trust=trust or self.trust, route=Route(hosts), **options)
        )
