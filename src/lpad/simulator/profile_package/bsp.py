"""The bound profile package's secure messaging, in both directions (SGP.22 v2.5, 2.5.3 and Annex G).

Known as SCP03t in version 2 and BSP in version 3: AES-128, a counter that also counts TLVs with only a MAC,
and a chained CMAC of which eight bytes are sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv

CONFIGURE_ISDP = 0x87
"""Tag of encrypted control commands: ConfigureISDP and ReplaceSessionKeys."""
STORE_METADATA = 0x88
"""Tag of commands that are MACed but not encrypted."""
LOAD_PROFILE_ELEMENTS = 0x86
"""Tag of the encrypted pieces of the profile."""

KEY_TYPE_AES = 0x88
KEY_LENGTH = 16
LARGEST_TLV = 1020
"""The maximum number of bytes of a protected TLV, tag, length and MAC included."""
LARGEST_ENCRYPTED = 1007
"""Plaintext bytes that fit into one encrypted TLV: 1008 with the required byte of padding."""
LARGEST_MACED = 1008
"""Plaintext bytes that fit into one TLV that is only MACed."""

_MAC_LENGTH = 8
_BLOCK = 16
_ENCRYPTED = frozenset({CONFIGURE_ISDP, LOAD_PROFILE_ELEMENTS})


class BspStructureError(MalformedError):
    """A protected TLV has an invalid tag or length (errorReason 7)."""


class BspSecurityError(MalformedError):
    """A protected TLV's MAC or padding is wrong (errorReason 8)."""


@dataclass(frozen=True, slots=True)
class BspKeys:
    """The three secrets of a session, 16 bytes each."""

    chaining: bytes
    """The initial MAC chaining value."""
    s_enc: bytes
    s_mac: bytes

    @classmethod
    def derive(cls, shared_secret: bytes, host_id: bytes, eid: bytes) -> BspKeys:
        """Derive the session keys with the X9.63 KDF over SHA-256 (SGP.22 v2.5, Annex G).

        Args:
            shared_secret: the 32-byte X coordinate computed from the two one-time keys.
            host_id: 1 to 16 bytes of the server's choice, element 84 of the control reference template.
            eid: the 16 bytes of tag 5A in GetEID.
        """
        shared_info = bytes([KEY_TYPE_AES, KEY_LENGTH, len(host_id)]) + host_id + bytes([len(eid)]) + eid
        material = X963KDF(algorithm=SHA256(), length=3 * KEY_LENGTH, sharedinfo=shared_info).derive(
            shared_secret
        )
        return cls(material[:16], material[16:32], material[32:])


class Bsp:
    """One end of the secure messaging; the counter and the chained MAC advance with each TLV."""

    def __init__(self, keys: BspKeys, *, largest: int = LARGEST_TLV) -> None:
        """Start with the session keys and the counter at 1.

        Args:
            keys: the session keys.
            largest: the maximum number of bytes in a protected TLV for `unprotect`; 0: no limit.
        """
        self._largest = largest
        self._keys = keys
        self._chaining = keys.chaining
        self._counter = 1

    def replace_session_keys(self, keys: BspKeys) -> None:
        """Change to the profile's own keys; the counter restarts at 1."""
        self._keys = keys
        self._chaining = keys.chaining
        self._counter = 1

    def protect(self, tag: int, plaintext: bytes) -> bytes:
        """Return the TLV that carries `plaintext`.

        Args:
            tag: 0x86 or 0x87 encrypt and MAC, 0x88 MACs only.
            plaintext: at most 1007 bytes to encrypt, 1008 to MAC.
        """
        body = self._encrypt(plaintext) if tag in _ENCRYPTED else plaintext
        header = tlv.tag_bytes(tag) + tlv.encode_length(len(body) + _MAC_LENGTH)
        mac = self._next_mac(header + body)
        return header + body + mac

    def protect_all(self, tag: int, plaintext: bytes, *, largest: int | None = None) -> list[bytes]:
        """Return the TLVs that carry `plaintext` in pieces of at most `largest` bytes; one if it is empty."""
        if largest is None:
            largest = LARGEST_ENCRYPTED if tag in _ENCRYPTED else LARGEST_MACED
        starts = range(0, max(len(plaintext), 1), largest)
        return [self.protect(tag, plaintext[start : start + largest]) for start in starts]

    def unprotect(self, protected: bytes) -> bytes:
        """Return the content of one whole TLV; the MAC is verified before decryption.

        Raises:
            BspStructureError: the TLV's tag is not 86, 87 or 88, or its length is wrong.
            BspSecurityError: wrong MAC or padding.
        """
        try:
            element = tlv.parse(protected)
        except MalformedError as error:
            raise BspStructureError(error.sentence) from error
        encrypted = element.tag in _ENCRYPTED
        body, mac = element.value[:-_MAC_LENGTH], element.value[-_MAC_LENGTH:]
        if not encrypted and element.tag != STORE_METADATA:
            raise BspStructureError(f"tag {element.tag:02X} carries nothing protected")
        too_long = 0 < self._largest < len(protected)
        if too_long or len(mac) < _MAC_LENGTH:
            raise BspStructureError(f"a protected element of {len(protected)} bytes")
        if encrypted and (not body or len(body) % _BLOCK):
            raise BspStructureError(f"{len(body)} encrypted bytes are not whole blocks")
        counter = self._counter
        if not bytes_eq(self._next_mac(element.header + body), mac):
            raise BspSecurityError(f"the MAC of protected element {counter} is wrong")
        return self._decrypt(body, counter) if encrypted else body

    def _next_mac(self, covered: bytes) -> bytes:
        """Chain the full MAC, count the TLV, and return the eight bytes to send."""
        cmac = CMAC(algorithms.AES(self._keys.s_mac))
        cmac.update(self._chaining + covered)
        self._chaining = cmac.finalize()
        self._counter += 1
        return self._chaining[:_MAC_LENGTH]

    def _cipher(self, counter: int) -> Cipher[modes.CBC]:
        # The IV is the encrypted counter; to use the chained MAC instead is a common error.
        block = Cipher(algorithms.AES(self._keys.s_enc), modes.ECB()).encryptor()  # noqa: S305 - one block, as Annex G says
        return Cipher(
            algorithms.AES(self._keys.s_enc), modes.CBC(block.update(counter.to_bytes(_BLOCK, "big")))
        )

    def _encrypt(self, plaintext: bytes) -> bytes:
        padded = plaintext + b"\x80"
        padded += bytes(-len(padded) % _BLOCK)
        return self._cipher(self._counter).encryptor().update(padded)

    def _decrypt(self, body: bytes, counter: int) -> bytes:
        padded = self._cipher(counter).decryptor().update(body).rstrip(b"\x00")
        if not padded.endswith(b"\x80"):
            raise BspSecurityError(f"the padding of protected element {counter} is wrong")
        return padded[:-1]
