"""One-time keys of postponed downloads (SGP.22 v2.5, 3.1.3.2), which the next attempt may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.simulator.euicc.chip.nonvolatile_state import OneTimeKey
from lpad.simulator.pki.credential import Curve

if TYPE_CHECKING:
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.isdr.certificate_checks import ServerCertificate

_MOST = 4
_SECRET_LENGTH = 32


class OneTimeKeys:
    """The unused keys in the card's memory."""

    def __init__(self, chip: Chip) -> None:
        """Keep the keys in this chip's state."""
        self._chip = chip

    def take(self, server: ServerCertificate, offered: bytes | None) -> ec.EllipticCurvePrivateKey:
        """Return the stored unused key for which the server has a package, or a new one.

        Args:
            server: CERT.DPpb, whose curve is also the key's.
            offered: bppEuiccOtpk, the 65-byte public point to which the package is bound; None: no package.
        """
        for kept in self._chip.state.one_time_keys:
            key = _restored(kept)
            if kept.server == server.oid and public_point(key) == offered:
                return key
        return ec.generate_private_key(server.credential.curve.algorithm)

    def keep(self, server: str, key: ec.EllipticCurvePrivateKey) -> None:
        """Keep an unused key of this server for later."""
        if not self._chip.behaviour.keeps_one_time_keys:
            return
        kept = OneTimeKey(server=server, curve=Curve.of(key.public_key()).value, secret=_secret(key))
        keys = self._chip.state.one_time_keys
        if kept not in keys:
            keys.append(kept)
            del keys[:-_MOST]
            self._chip.commit()

    def forget(self, key: ec.EllipticCurvePrivateKey | None) -> None:
        """Delete a key that was used, or whose download was cancelled."""
        keys = self._chip.state.one_time_keys
        left = [kept for kept in keys if key is None or kept.secret != _secret(key)]
        if len(left) != len(keys):
            self._chip.state.one_time_keys = left
            self._chip.commit()


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the uncompressed public point, 65 bytes."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _secret(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(_SECRET_LENGTH, "big")


def _restored(kept: OneTimeKey) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(kept.secret, "big"), Curve(kept.curve).algorithm)
