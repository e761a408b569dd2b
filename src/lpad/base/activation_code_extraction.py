"""Extracts activation codes from the texts that users copy, even with links, quotes or line breaks."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote, urlsplit

from lpad.base.errors import InvalidActivationCode
from lpad.base.lazy_pattern import LazyPattern

LONGEST_TEXT = 4096
"""The maximum number of characters of a text; a longer text is refused."""

_SETUP_HOSTS = frozenset({"esimsetup.apple.com", "esimsetup.android.com"})
_SETUP_PATH = "/esim_qrcode_provisioning"
_SETUP_FIELD = "carddata"
_LINK = LazyPattern(r"[A-Za-z][A-Za-z0-9+.-]*://")
_QUOTES = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\uff02\uff07"
_SHELL_LEFT = LazyPattern(r"(?i)lpa:1.*|1|1[.-].*")
"""The rest of a code that was not in single quotes, so that a shell has expanded the code: every $ and the
word after it are missing."""


def bare_code(text: str) -> str:
    """Return the activation code in a text, without spaces, quotes or a surrounding link.

    Args:
        text: a code as printed, copied or scanned: `LPA:1$…` or `1$…`, possibly in quotes, wrapped or with
            invisible characters, or a setup link of Apple or Android. At most 4096 characters.

    Returns:
        The code, not yet parsed.

    Raises:
        InvalidActivationCode: the text is too long, a link without a code, or damaged by a shell.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidActivationCode(
            f"the text is longer than {LONGEST_TEXT} characters: pass only the activation code, or the link"
            " that contains it"
        )
    compact = _compact(text)
    if _LINK.match(compact):
        return _compact(_within_link(compact))
    if "$" not in compact and "%24" in compact:
        compact = unquote(compact)
    if "$" not in compact and _SHELL_LEFT.fullmatch(compact):
        raise InvalidActivationCode(
            "the activation code has lost its fields: a shell replaces every $ and the word after it, even in"
            " double quotes; put the code in single quotes, or pass it in a file or on standard input"
        )
    return compact


def _compact(text: str) -> str:
    """Return the text without spaces, line breaks, invisible characters and surrounding quotes."""
    seen = "".join(
        each for each in text if not each.isspace() and unicodedata.category(each) not in ("Cc", "Cf")
    )
    return seen.strip(_QUOTES)


def _within_link(link: str) -> str:
    """Return the code in a setup link; accept only https and the two hosts that define such links."""
    try:
        parts = urlsplit(link)
        known = (parts.scheme.lower(), parts.hostname, parts.port or 443, parts.path)
    except ValueError:
        known = None
    if known in {("https", host, 443, _SETUP_PATH) for host in _SETUP_HOSTS}:
        for field in parts.query.split("&"):
            name, _, value = field.partition("=")
            if name.lower() == _SETUP_FIELD and value:
                return unquote(value)  # keep '+', which may begin a matching ID
    raise InvalidActivationCode(
        "the link contains no activation code: open it and copy the text that begins with LPA:1$, or save the"
        " picture of the QR code and pass it to lpactl download --qr"
    )
