"""A card's non-volatile memory: a folder that is consistent after a power loss at any moment.

card.json      the state, replaced atomically
credentials/   certificates and keys, written before the first state
profiles/      one package for each profile, written before the state that names it
.lock          held by the process in which the card has power
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lpad.base.errors import CardBusy, InvalidValue
from lpad.base.identifiers import Iccid
from lpad.simulator.euicc.chip.identity import CardIdentity, Signer
from lpad.simulator.euicc.chip.nonvolatile_state import CardState
from lpad.simulator.pki.credential import Credential, Curve

if TYPE_CHECKING:
    from pathlib import Path

_STATE = "card.json"


class CardFolder:
    """The folder, locked from construction to `close`."""

    def __init__(self, path: Path) -> None:
        """Create or open the folder and lock it.

        Raises:
            CardBusy: the card has power in another process.
            InvalidValue: the folder cannot be made or written.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("w")
        except OSError as error:
            raise InvalidValue(f"cannot store a simulated card in {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise CardBusy(f"the simulated card in {path} is in use: end the other process first") from error

    def close(self) -> None:
        """Release the folder."""
        self._lock.close()

    def load(self) -> CardState | None:
        """Return the state, or None if there is no card yet.

        Packages that are not in the state were left by a power loss during an installation, and are deleted.

        Raises:
            InvalidValue: the file is not a card's state.
        """
        try:
            state = msgspec.json.decode((self.path / _STATE).read_bytes(), type=CardState)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InvalidValue(f"{self.path / _STATE} is not a simulated card's state: {error}") from error
        self._sweep(state)
        return state

    def save(self, state: CardState) -> None:
        """Replace the state, which is on the disk when this function returns."""
        text = msgspec.json.format(msgspec.json.encode(state), indent=1)
        _replace(self.path / _STATE, text)
        self._sweep(state)

    def write_package(self, iccid: bytes, package: bytes) -> None:
        """Store a profile's package; call it before saving the state that contains it."""
        _replace(self._package(iccid), package)

    def read_package(self, iccid: bytes) -> bytes:
        """Return a profile's package."""
        return self._package(iccid).read_bytes()

    def write_identity(self, identity: CardIdentity) -> None:
        """Store the card's certificates and keys; call it before saving the first state."""
        for curve, ci in identity.cis.items():
            _replace(self._credential("CI", curve, "der"), ci.der)
        for curve, signer in identity.signers.items():
            pem = signer.euicc.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _replace(self._credential("EUM", curve, "der"), signer.eum.der)
            _replace(self._credential("EUICC", curve, "der"), signer.euicc.der)
            _replace(self._credential("EUICC", curve, "pem"), pem)

    def read_identity(self) -> CardIdentity:
        """Return the card's certificates and keys.

        Raises:
            InvalidValue: a file is missing or broken.
        """
        cis, signers = {}, {}
        try:
            for curve in Curve:
                if self._credential("CI", curve, "der").exists():
                    cis[curve] = self._read_certificate("CI", curve)
                if self._credential("EUICC", curve, "pem").exists():
                    key = load_pem_private_key(self._credential("EUICC", curve, "pem").read_bytes(), None)
                    assert isinstance(key, ec.EllipticCurvePrivateKey), "written by write_identity"
                    own = Credential(self._read_certificate("EUICC", curve).certificate, key)
                    signers[curve] = Signer(own, self._read_certificate("EUM", curve))
        except (OSError, ValueError) as error:
            raise InvalidValue(f"the simulated card in {self.path} has lost its keys: {error}") from error
        return CardIdentity(cis, signers)

    def _read_certificate(self, role: str, curve: Curve) -> Credential:
        return Credential(x509.load_der_x509_certificate(self._credential(role, curve, "der").read_bytes()))

    def _credential(self, role: str, curve: Curve, kind: str) -> Path:
        return self.path / "credentials" / f"{role}_{curve.value}.{kind}"

    def _package(self, iccid: bytes) -> Path:
        return self.path / "profiles" / f"{Iccid.from_bytes(iccid)}.der"

    def _sweep(self, state: CardState) -> None:
        named = {self._package(profile.iccid) for profile in state.profiles}
        for path in (self.path / "profiles").glob("*"):
            if path not in named:
                path.unlink()


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a power loss leaves either the complete old file or the complete new one."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
