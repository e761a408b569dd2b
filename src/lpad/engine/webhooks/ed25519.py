"""Ed25519 signatures (RFC 8032), made by the OpenSSL that Python's `ssl` has already loaded.

The running time of the library `ecdsa`, which lpad uses for public keys, depends on the private key.
The running time of OpenSSL does not depend on this key (docs/decisions/122).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from lpad.base.errors import InvalidSettings

_EVP_PKEY_ED25519 = 1087
"""NID_ED25519 (openssl/obj_mac.h)."""
_SEED, _PUBLIC, _SIGNATURE = 32, 32, 64
_pointer = ctypes.c_void_p
_size = ctypes.POINTER(ctypes.c_size_t)
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "EVP_PKEY_new_raw_private_key": (_pointer, (ctypes.c_int, _pointer, ctypes.c_char_p, ctypes.c_size_t)),
    "EVP_PKEY_get_raw_public_key": (ctypes.c_int, (_pointer, ctypes.c_char_p, _size)),
    "EVP_PKEY_free": (None, (_pointer,)),
    "EVP_MD_CTX_new": (_pointer, ()),
    "EVP_MD_CTX_free": (None, (_pointer,)),
    "EVP_DigestSignInit": (ctypes.c_int, (_pointer, _pointer, _pointer, _pointer, _pointer)),
    "EVP_DigestSign": (ctypes.c_int, (_pointer, ctypes.c_char_p, _size, ctypes.c_char_p, ctypes.c_size_t)),
}
"""The types of each function's result and arguments, unchanged since OpenSSL 1.1.1."""


class Ed25519Key:
    """A private key; usable from one thread at a time."""

    def __init__(self, seed: bytes) -> None:
        """Load a private key.

        Args:
            seed: 32 bytes.

        Raises:
            InvalidSettings: Python's OpenSSL offers no Ed25519.
        """
        self._crypto = _crypto()
        self._key = self._crypto.EVP_PKEY_new_raw_private_key(_EVP_PKEY_ED25519, None, seed, _SEED)
        if not self._key:
            raise _missing()
        self.public = self._public()
        """The public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes.

        Raises:
            InvalidSettings: OpenSSL refuses, for example because a policy forbids Ed25519.
        """
        context = self._crypto.EVP_MD_CTX_new()
        try:
            made = ctypes.create_string_buffer(_SIGNATURE)
            size = ctypes.c_size_t(_SIGNATURE)
            good = (
                context
                and self._crypto.EVP_DigestSignInit(context, None, None, None, self._key) == 1
                and self._crypto.EVP_DigestSign(context, made, ctypes.byref(size), message, len(message)) == 1
            )
            if not good or size.value != _SIGNATURE:
                raise _missing()
            return made.raw
        finally:
            self._crypto.EVP_MD_CTX_free(context)

    def _public(self) -> bytes:
        found = ctypes.create_string_buffer(_PUBLIC)
        size = ctypes.c_size_t(_PUBLIC)
        if self._crypto.EVP_PKEY_get_raw_public_key(self._key, found, ctypes.byref(size)) != 1:
            raise _missing()
        return found.raw

    def __del__(self) -> None:
        key, self._key = getattr(self, "_key", None), None
        if key:
            self._crypto.EVP_PKEY_free(key)


@cache
def _crypto() -> ctypes.CDLL:
    """Return OpenSSL's functions, found through the module that is linked with them.

    Raises:
        InvalidSettings: this Python was built with a static OpenSSL that ctypes cannot reach.
    """
    import _ssl  # noqa: PLC0415 - only for Ed25519 keys

    try:
        library = ctypes.CDLL(_ssl.__file__)
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise _missing() from error
    return library


def _missing() -> InvalidSettings:
    return InvalidSettings(
        "cannot sign with Ed25519: the OpenSSL of this Python does not offer it; use a key that begins with"
        " whsec_"
    )
