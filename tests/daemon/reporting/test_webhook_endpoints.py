"""From settings to endpoints: keys from files, a named CA, and the route."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.webhooks.receiver import Receiver
from engine.webhooks.test_endpoint import event
from lpad.base.cancellation import Cancellation
from lpad.base.errors import InvalidSettings
from lpad.daemon.remote_servers import load_route
from lpad.daemon.reporting.webhook_endpoints import webhook_endpoints
from lpad.engine.webhooks.delivery_attempt import Outcome, Verdict, attempt
from lpad.provisioning.desk_callback_signatures import Callback, verify
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
NAME = "hooks.example.com"


def settings(folder: Path, port: int, more: str = "", *, mode: int = 0o600) -> SettingsFile:
    (folder / "key").write_text(f"{KEY}\n", encoding="ascii")
    (folder / "key").chmod(mode)
    path = folder / "lpad.yaml"
    path.write_text(
        f"webhooks:\n  backend: {{url: 'https://{NAME}/lpad', keys: [key]{more}}}\n"
        f"remote: {{hosts: {{'{NAME}': '127.0.0.1:{port}'}}}}\n",
        encoding="utf-8",
    )
    return SettingsFile.read(path)


def sent(file: SettingsFile) -> Outcome:
    (made,) = webhook_endpoints(file, route=load_route(file))
    connection = made.open(made.url)
    try:
        return attempt(made, event(), connection, cancellation=Cancellation())
    finally:
        connection.close()


def test_a_named_ca_takes_the_place_of_the_public_ones(tmp_path: Path, pki: Pki) -> None:
    """With the named CA, lpad trusts the receiver; without that CA, the receiver gets nothing."""
    credential = pki.dp_tls(NAME)
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        credential.certificate.public_bytes(Encoding.PEM)
        + credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    authorities = [each.certificate.public_bytes(Encoding.PEM) for each in pki.ci.values()]
    (tmp_path / "ca.pem").write_bytes(b"".join(authorities))
    with Receiver(context=context) as receiver:
        outcome = sent(settings(tmp_path, receiver.port, ", ca_files: [ca.pem]"))
        assert outcome.verdict is Verdict.ACCEPTED, outcome
        got = receiver.take()
        callback = Callback("POST", got.path, got.headers, got.body)
        assert verify("standard-webhooks", callback, secret=KEY) is not None
        refused = sent(settings(tmp_path, receiver.port))
        assert refused.status is None
        assert "server-untrusted" in str(refused.error)
        assert receiver.got.empty()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A key file that others can read is refused, and so is a missing file, or one without a key."""
    with pytest.raises(InvalidSettings, match="other users can read"):
        webhook_endpoints(file := settings(tmp_path, 1, mode=0o644), route=load_route(file))
    file = settings(tmp_path, 1)
    (tmp_path / "key").write_text("password", encoding="ascii")
    with pytest.raises(InvalidSettings, match="whsec_"):
        webhook_endpoints(file, route=load_route(file))
    (tmp_path / "key").unlink()
    with pytest.raises(InvalidSettings, match="cannot read"):
        webhook_endpoints(file, route=load_route(file))
