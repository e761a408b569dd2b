"""The trust anchors that servers' certificates are verified against.

TLS is always verified. The anchors are the system's, those in the operator's files, and for a server
whose chain leads to a CI of the card, the one that the card names (`next_handshake`).
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Self

from lpad.base.errors import InvalidSettings, MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.x509.certificate_holder_and_role import Certificate
from lpad.codec.x509.certificate_key_and_signature import SignedCertificate
from lpad.codec.x509.known_certificate_issuers import permitted
from lpad.remote.trust.revocations import Revocations
from lpad.remote.trust.trust_files import read_trust_file, trust_files
from lpad.remote.trust.trust_memory import TrustMemory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lpad.codec.x509.revocation_list import RevocationList
    from lpad.remote.trust.anchor_named_by_card import Anchor


class Offer(Frozen):
    """The offer of a handshake: its anchors (None: the usual anchors), and whether it includes brainpool.

    With `on_arrival`, the handshake begins without anchors, and they are added when the chain arrives.
    """

    anchor: Anchor | None = None
    brainpool: bool = False
    on_arrival: bool = False


class Trust:
    """The anchors and their TLS contexts; one object serves the whole process."""

    def __init__(
        self,
        extra: Iterable[bytes] = (),
        *,
        use_system_roots: bool = True,
        minimum_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        forbidden: Iterable[bytes] | None = None,
        memory: TrustMemory | None = None,
        revocations: Iterable[RevocationList] = (),
        client: tuple[Path, Path | None] | None = None,
    ) -> None:
        """Trust the system's roots and further anchors.

        Args:
            extra: CA certificates, DER.
            use_system_roots: whether to trust the system's roots.
            minimum_version: the minimum version of TLS.
            forbidden: key identifiers of CIs that are never trusted, even if a card names them; None: see
                `known_certificate_issuers.permitted`.
            memory: the knowledge about servers; None: an empty one.
            revocations: lists of revoked certificates.
            client: PEM files of the client certificate, and of its key if that is in a separate file, for
                servers that request one.
        """
        self._client = client
        self._extra = tuple(extra)
        self._use_system_roots = use_system_roots
        self._minimum_version = minimum_version
        self._forbidden = None if forbidden is None else tuple(forbidden)
        self.memory = memory or TrustMemory()
        self.revocations = Revocations(tuple(revocations))
        self._usual: dict[bool, ssl.SSLContext] = {}

    @classmethod
    def load(cls, paths: Iterable[Path] = (), **options: Any) -> Self:
        """Read CA certificates and revocation lists from files and folders; see `trust_files`.

        Raises:
            InvalidSettings: a file cannot be read, or contains neither a certificate nor a revocation list.
        """
        found = [read_trust_file(file) for path in paths for file in trust_files(path)]
        return cls(
            [certificate for each in found for certificate in each.certificates],
            revocations=[each for file in found for each in file.revocations],
            **options,
        )

    @property
    def may_offer_brainpool(self) -> bool:
        """Whether TLS 1.2, which brainpool needs, is allowed."""
        return self._minimum_version <= ssl.TLSVersion.TLSv1_2

    @property
    def own(self) -> str:
        """A summary of the operator's files, such as '2 CA certificates'; empty if there are none."""
        counts = ((len(self._extra), "CA certificate"), (len(self.revocations), "revocation list"))
        return ", ".join(f"{count} {what}{'s' if count > 1 else ''}" for count, what in counts if count)

    def permitted(self, named: Iterable[bytes]) -> tuple[bytes, ...]:
        """Return the CIs that a card names and that are not forbidden."""
        return permitted(named, forbidden=self._forbidden)

    def is_operators(self, certificate: bytes) -> bool:
        """Return whether a certificate (DER) is one of the operator's own anchors."""
        return certificate in self._extra

    def concerns_operators(self, chain: Iterable[bytes]) -> bool:
        """Return whether a chain (DER) contains one of the operator's anchors, or states one as an issuer."""
        own = {key_id for each in self._extra for key_id in _key_ids(each, of_issuer=False)}
        return any(
            each in self._extra or not own.isdisjoint(_key_ids(each, of_issuer=True))
            for each in (chain if own else ())
        )

    def context(self, offer: Offer) -> ssl.SSLContext:
        """Return the context for a handshake."""
        if offer.anchor is not None or offer.on_arrival:
            return self._new_context(offer)
        if offer.brainpool not in self._usual:
            self._usual[offer.brainpool] = self._new_context(offer)
        return self._usual[offer.brainpool]

    def add_anchors(self, context: ssl.SSLContext, offer: Offer) -> None:
        """Add the anchors of the offer to those that `context` trusts.

        Raises:
            ssl.SSLError, ValueError: the anchor is not a certificate.
        """
        if offer.anchor is not None:
            context.load_verify_locations(cadata=offer.anchor.certificate)
            return
        if self._use_system_roots:
            context.load_default_certs()
        if self._extra:
            context.load_verify_locations(cadata=b"".join(self._extra))

    def _new_context(self, offer: Offer) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name by default
        context.minimum_version = self._minimum_version
        context.hostname_checks_common_name = False  # a server's name counts only in subjectAltName
        context.set_alpn_protocols(["http/1.1"])
        # An operator may trust a sub-CA, or one server's own certificate, without the root above it. For a
        # card's CI, the chain contains only a certificate that the CI has signed.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if not offer.on_arrival:
            self.add_anchors(context, offer)
        if self._client is not None:
            _show(context, *self._client)
        if not offer.brainpool:
            return context
        from lpad.remote.trust.brainpool import offer_brainpool  # noqa: PLC0415 - only for such servers

        return offer_brainpool(context)


def _key_ids(raw: bytes, *, of_issuer: bool) -> set[bytes]:
    """Return the identifiers of a certificate's key, computed and stated; `of_issuer` adds its issuer's."""
    try:
        own, stated = SignedCertificate.decode(raw), Certificate.decode(raw)
    except MalformedError:
        return set()
    found = {own.key.key_id, stated.subject_key_identifier}
    if of_issuer:
        found.add(stated.authority_key_identifier)
    return {each for each in found if each is not None}


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # For a key with a passphrase, OpenSSL would ask at a terminal and wait.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise InvalidSettings(
            f"cannot use the client certificate in {certificate}:"
            f" {getattr(error, 'strerror', None) or error};"
            " the certificate and its key, without a passphrase, must be in PEM form and belong together"
        ) from error
