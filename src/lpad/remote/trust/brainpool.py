"""TLS with servers whose certificate is on brainpoolP256r1, one of the two curves of SGP.22 (2.6.7.1).

Such a server shares a cipher only with clients that offer the curve (RFC 8422, 5.1), and only up to TLS 1.2.
OpenSSL omits the curve by default. Before 3.15, Python can set only one curve. One curve suffices for
servers that also exchange keys over brainpool, but not for servers that use P-256 or X25519 for the exchange,
as any OpenSSL server with a brainpool certificate and otherwise default settings does.
"""

from __future__ import annotations

import ssl
import sys

_CURVE = "brainpoolP256r1"
_GROUPS = f"X25519:P-256:P-384:{_CURVE}"
_SSL_CTRL_SET_GROUPS_LIST = 92  # openssl/ssl.h, behind the macro SSL_CTX_set1_groups_list
_KNOWN_LAYOUT = (3, 11) <= sys.version_info < (3, 15) and sys.implementation.name == "cpython"


def offer_brainpool(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make `context` offer brainpoolP256r1, in addition to the usual curves if possible; return it."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if not _set_groups(context):
        context.set_ecdh_curve(_CURVE)
    return context


def _set_groups(context: ssl.SSLContext) -> bool:
    """Set the groups, for which Python's ssl has no method before 3.15; return whether this succeeded.

    In CPython 3.11 to 3.14 the SSL_CTX pointer is the first member of the context object. lpad calls this
    function only after a server has failed the usual handshake, so other servers do not depend on it.
    """
    if hasattr(context, "set_groups"):
        context.set_groups(_GROUPS)
        return True
    import ctypes  # noqa: PLC0415  half a megabyte, needed only for such servers

    library = getattr(sys.modules.get("_ssl"), "__file__", None)
    if not _KNOWN_LAYOUT or library is None:  # a statically linked OpenSSL hides its functions
        return False
    try:
        control = ctypes.CDLL(library).SSL_CTX_ctrl
    except (OSError, AttributeError):
        return False
    control.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    control.restype = ctypes.c_long
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    return pointer is not None and control(pointer, _SSL_CTRL_SET_GROUPS_LIST, 0, _GROUPS.encode()) == 1
