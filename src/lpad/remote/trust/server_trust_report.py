"""The report on whether a server is trusted: its chain, and the matching anchor or the missing one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.x509.certificate_holder_and_role import Certificate
from lpad.codec.x509.certificate_key_and_signature import BRAINPOOL_P256R1, P256, SignedCertificate
from lpad.codec.x509.known_certificate_issuers import issuer_named, known_issuers, names_key
from lpad.remote.trust.anchor_named_by_card import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.errors import ServerUntrusted
    from lpad.remote.trust.anchor_named_by_card import ChainLink
    from lpad.remote.trust.next_handshake import Handshakes

_CURVES = {P256: "P-256", BRAINPOOL_P256R1: "brainpoolP256r1"}
_WHERE = "the folder trust.d next to the settings file (setting 'trust.folder')"
_ALGORITHMS = {"1.2.840.113549.1.1.1": "RSA"}


class PresentedCertificate(Struct, frozen=True, kw_only=True):
    """A certificate as the server showed it.

    `key_id` is computed from its key. For certificates on the path up from the server's own (`on_path`),
    `signed_by` are the identifiers of the keys that may have signed them.
    """

    subject: str
    issuer: str
    not_before: str
    not_after: str
    key: str
    key_id: str
    roles: tuple[str, ...] = ()
    on_path: bool = False
    signed_by: tuple[str, ...] = ()


class NamedIssuer(Struct, frozen=True, kw_only=True):
    """A CI that the card names; `counts` is False for a CI that the settings forbid."""

    key_id: str
    name: str | None
    test: bool
    counts: bool


class TrustReport(Frozen, kw_only=True):
    """A check's outcome; `anchor` is card, operator or system, or None if nothing verified the server."""

    server: str
    trusted: bool
    anchor: str | None
    anchor_subject: str | None
    issuer_key_id: str | None
    why: str
    advice: str | None
    cause: str | None
    handshakes: int
    tls: str | None
    brainpool: bool
    chain: tuple[PresentedCertificate, ...]
    card: tuple[NamedIssuer, ...]


def report(handshakes: Handshakes, *, tried: int, error: ServerUntrusted | None) -> TrustReport:
    """Return the report on the handshakes of one connection."""
    path = handshakes.path or trace(handshakes.presented)
    named = tuple(
        NamedIssuer(
            key_id=listed.hex(),
            name=issuer.name if (issuer := issuer_named(listed)) else None,
            test=issuer is not None and issuer.test,
            counts=listed in handshakes.authorities,
        )
        for listed in handshakes.named
    )
    anchor = handshakes.offer.anchor if error is None else None
    kind, subject, why = _why(handshakes) if error is None else (None, None, _why_not(handshakes, error))
    return TrustReport(
        server=handshakes.server,
        trusted=error is None,
        anchor=kind,
        anchor_subject=subject,
        issuer_key_id=anchor.issuer_key_id.hex() if anchor is not None else None,
        why=why,
        advice=_advice(path, named)
        if error is not None and error.details.get("cause") == "unknown-ca"
        else None,
        cause=None if error is None else str(error.details.get("cause")),
        handshakes=tried,
        tls=handshakes.tls,
        brainpool=handshakes.offer.brainpool,
        chain=_chain(handshakes.presented, path, handshakes.verified if error is None else ()),
        card=named,
    )


def _why(handshakes: Handshakes) -> tuple[str, str, str]:
    anchor = handshakes.offer.anchor
    top = SignedCertificate.decode(anchor.certificate if anchor is not None else handshakes.verified[-1])
    if anchor is not None:
        listed = next(each for each in handshakes.authorities if names_key(each, anchor.issuer_key_id))
        whole = "" if len(listed) == len(anchor.issuer_key_id) else f", by its first {len(listed)} bytes"
        why = (
            f"'{top.common_name}' was signed by the key {_called(anchor.issuer_key_id)}, which the card names"
            f"{whole} in euiccCiPKIdListForVerification"
        )
        return "card", top.common_name, why
    if handshakes.is_operators(handshakes.verified):
        return "operator", top.common_name, f"'{top.common_name}' is among the operator's own CA certificates"
    return "system", top.common_name, f"'{top.common_name}' is among the system's CA certificates"


def _why_not(handshakes: Handshakes, error: ServerUntrusted) -> str:
    """Return the error's sentence, or a different one if that sentence refers to this report."""
    if error.details.get("cause") != "unknown-ca":
        return error.sentence
    server = handshakes.server
    return f"neither the card, the operator nor this system trusts the certificate of {server}"


def _advice(path: Sequence[ChainLink], named: Sequence[NamedIssuer]) -> str:
    """Return the advice: which certificate is missing, and where to put it."""
    if not path:
        return "the server's certificate cannot be read; check the server's address"
    top, keys = path[-1].certificate, path[-1].issuer_key_ids
    listed = [each for each in named if each.key_id and any(k.hex().startswith(each.key_id) for k in keys)]
    known = [known_issuers()[key] for key in keys if key in known_issuers()]
    if listed and not listed[0].counts:
        ci = listed[0].name or listed[0].key_id
        return (
            f"the card names the CI that signed '{top.common_name}', {ci}, but it is forbidden: see the "
            "setting 'trust.forbidden_issuers'"
        )
    if listed:
        return (
            f"the card names only the first {len(listed[0].key_id) // 2} bytes of the CI's key identifier,"
            f" which proves nothing; put the certificate of the CI '{top.issuer_name}' into {_WHERE}"
        )
    if known:
        cards = ", ".join(each.name or each.key_id for each in named) or "none"
        return (
            f"the chain leads to {known[0].name} ({known[0].key_id.hex()}), which this card does not name; "
            f"it names: {cards}. The server is meant for other cards; if it is not, put that CI's "
            f"certificate into {_WHERE}"
        )
    if not keys:
        return (
            f"'{top.common_name}' was issued by '{top.issuer_name}', whose signature shows that it is not an"
            f" eSIM CI; if you trust it, put its CA's certificate into {_WHERE}, or into the system's store"
        )
    either = " or ".join(key.hex() for key in _likely(path[-1]))
    return (
        f"'{top.common_name}' was issued by '{top.issuer_name}' with the key {either}, which neither the"
        " card, the operator nor this system trusts; if you trust it, put its CA's certificate into"
        f" {_WHERE}. The same happens if the server leaves out a sub-CA; its operator must then add it"
    )


def _chain(
    presented: Sequence[bytes], path: Sequence[ChainLink], verified: Sequence[bytes]
) -> tuple[PresentedCertificate, ...]:
    links = {link.certificate.raw: link for link in path}
    certificates = []
    for raw in presented:
        with contextlib.suppress(MalformedError):
            certificates.append(SignedCertificate.decode(raw))
    leading = {*links, *verified} | _above(path, certificates)
    shown = []
    for certificate in certificates:
        raw = certificate.raw
        with contextlib.suppress(MalformedError):
            link = links.get(raw)
            shown.append(
                PresentedCertificate(
                    subject=certificate.common_name,
                    issuer=certificate.issuer_name,
                    not_before=f"{certificate.not_before:%Y-%m-%d %H:%M:%S}",
                    not_after=f"{certificate.not_after:%Y-%m-%d %H:%M:%S}",
                    key=_key(certificate),
                    key_id=certificate.key.key_id.hex(),
                    roles=tuple(sorted(Certificate.decode(raw).roles)),
                    on_path=raw in leading,
                    signed_by=tuple(key.hex() for key in _likely(link)) if link is not None else (),
                )
            )
    return tuple(shown)


def _above(path: Sequence[ChainLink], presented: Sequence[SignedCertificate]) -> set[bytes]:
    """Return the certificates above an RSA signature, found by name, because the signature yields no key."""
    found: set[bytes] = set()
    current = path[-1].certificate if path and not path[-1].issuer_key_ids else None
    while current is not None:
        found.add(current.raw)
        issuer = current.issuer
        current = next((each for each in presented if each.subject == issuer and each.raw not in found), None)
    return found


def _likely(link: ChainLink) -> tuple[bytes, ...]:
    """Return the candidate that the certificate names as issuer, or that is a known CI; otherwise all."""
    told = Certificate.decode(link.certificate.raw).authority_key_identifier
    known = tuple(key for key in link.issuer_key_ids if key == told or key in known_issuers())
    return known[:1] or link.issuer_key_ids


def _key(certificate: SignedCertificate) -> str:
    key = certificate.key
    return _CURVES.get(key.curve or "") or _ALGORITHMS.get(key.algorithm) or key.curve or key.algorithm


def _called(key_id: bytes) -> str:
    known = known_issuers().get(key_id)
    return f"{key_id.hex()} ({known.name})" if known is not None else key_id.hex()
