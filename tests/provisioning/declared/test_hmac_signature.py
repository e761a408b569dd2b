"""Signatures of requests to platforms, compared with documented and published ones."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from lpad.provisioning.declared.hmac_signature import signature
from lpad.provisioning.declared.platform_file import read_declaration, shipped

if TYPE_CHECKING:
    from pathlib import Path

_CHECK = "7108d8c4a999c3f5841158b2c0f46771d2d5d4e47fd716ddc18bf6c791da590f"


def _yoni(app_id: str, secret: str, now_ms: str, path: str) -> str:
    sign = read_declaration(shipped()["yoni"]).sign
    assert sign is not None
    values = {"credential.app_id": app_id, "credential.app_secret": secret, "now_ms": now_ms, "path": path}
    return signature(sign, values)


def test_yonis_description_signs_as_documented() -> None:
    """Yoni's description signs as documented: hex HMAC-SHA256 of id, time and path."""
    path = "/v1/order/e-sim"
    expected = hmac.new(b"secret-1", f"app-1&1700000000000&{path}".encode(), hashlib.sha256).hexdigest()
    assert _yoni("app-1", "secret-1", "1700000000000", path) == expected == _CHECK


@pytest.mark.test_data
def test_published_signatures_are_reproduced(test_data: Path) -> None:
    """Lpad makes the signatures in the test data that were published or computed for Yoni."""
    found: dict[str, list[dict[str, Any]]] = json.loads(
        (test_data / "platforms" / "signature_vectors.json").read_text()
    )
    for name, vectors in found.items():
        for each in vectors if name.startswith("yoni") else ():
            assert _yoni(each["appId"], each["secret"], each["timestamp"], each["path"]) == each["signature"]


@pytest.mark.parametrize(("kind", "length"), [("sha1", 28), ("sha256", 44), ("sha512", 88)])
def test_signatures_can_be_in_base64(kind: str, length: int) -> None:
    """A signature by each HMAC can be in base64."""
    sign = read_declaration(shipped()["yoni"]).sign
    assert sign is not None
    other = type(sign)(hmac=kind, key="{credential.key}", text="{body}", encoding="base64")  # type: ignore[arg-type]
    assert len(signature(other, {"credential.key": "k", "body": "{}"})) == length
