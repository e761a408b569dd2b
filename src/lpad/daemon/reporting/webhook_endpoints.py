"""Convert the settings to endpoints of webhooks: keys, CAs and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.events.cloud_event import Identifiers
from lpad.engine.webhooks.delivery_attempt import LIMITS
from lpad.engine.webhooks.endpoint import Endpoint, EndpointUrl
from lpad.engine.webhooks.signing_keys import read_key
from lpad.provisioning.credentials import read_credential
from lpad.remote.https.proxy_and_interface import Route
from lpad.remote.trust.trust_anchors import Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.remote.https.connection import HttpsConnection
    from lpad.settings import SettingsFile
    from lpad.settings.sections.reporting.webhooks import WebhookSection


def webhook_endpoints(file: SettingsFile, *, route: Route) -> list[Endpoint]:
    """Return the endpoints that the settings name; no connection is made.

    Args:
        file: the settings.
        route: the way to servers, except to an endpoint on this device, which is reached directly.

    Raises:
        InvalidSettings: a key or a certificate cannot be read, or other users can read a key.
    """
    return [
        Endpoint(
            name=name,
            url=EndpointUrl.parse(section.url),
            types=tuple(section.types) or ("*",),
            identifiers=Identifiers(section.identifiers),
            structured=section.mode == "structured",
            keys=tuple(
                read_key(read_credential(each, resolve=file.resolve), where=each) for each in section.keys
            ),
            open=_opener(file, section, route),
        )
        for name, section in file.settings.webhooks.items()
    ]


def _opener(
    file: SettingsFile, section: WebhookSection, route: Route
) -> Callable[[EndpointUrl], HttpsConnection]:
    from lpad.remote.https.connection import HttpsConnection  # noqa: PLC0415 - only with a webhook

    trust = Trust.load(map(file.resolve, section.ca_files), use_system_roots=not section.ca_files)

    def open_connection(url: EndpointUrl) -> HttpsConnection:
        return HttpsConnection(
            url.server,
            trust=trust,
            route=Route() if url.local else route,
            limits=LIMITS,
            only_status=True,
            encrypted=url.encrypted,
        )

    return open_connection
