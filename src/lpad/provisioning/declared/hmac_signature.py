"""Signatures of requests: HMAC over a template, as a platform's file declares it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from lpad.provisioning.declared.template import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.provisioning.declared.platform_declaration import Sign


def signature(sign: Sign, values: Mapping[str, str]) -> str:
    """Return the signature of a request.

    Raises:
        Missing: a placeholder has no value.
    """
    key = (filled(sign.key, values) or "").encode()
    text = (filled(sign.text, values) or "").encode()
    digest = hmac.new(key, text, getattr(hashlib, sign.hmac)).digest()
    return digest.hex() if sign.encoding == "hex" else base64.b64encode(digest).decode()
