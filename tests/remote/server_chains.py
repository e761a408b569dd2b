"""Valid and invalid certificate chains of servers, with which `chain_table` tries lpad."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lpad.simulator.pki.certificate_making import ROLE_DP_AUTH, ROLE_EUM
from remote.forge import CLIENT, DAY, Forged, Plan, authority, curve_key, forge, rsa_key, spoilt

if TYPE_CHECKING:
    from collections.abc import Callable


ROLE_DS_TLS = "2.23.146.1.2.1.6"
ROLE_DP_TLS_V3 = "2.23.146.1.2.1.0.0.1.0"


@dataclass(frozen=True, kw_only=True)
class World:
    """The CAs of the cases: two CIs that the card lists, another CI, a web CA and two sub-CAs."""

    ci: Forged = field(default_factory=lambda: authority("Test CI"))
    brainpool: Forged = field(
        default_factory=lambda: authority("Brainpool CI", key=curve_key(ec.BrainpoolP256R1))
    )
    other: Forged = field(default_factory=lambda: authority("Other CI"))
    web: Forged = field(default_factory=lambda: authority("Web CA", key=rsa_key(), roles=()))
    sub: Forged = field(init=False)
    low: Forged = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sub", authority("CI sub-CA", issuer=self.ci, path_length=1))
        object.__setattr__(self, "low", authority("SM-DP+ sub-CA", issuer=self.sub, path_length=0))

    def leaf(self, issuer: Any = None, **plan: Any) -> Forged:
        return forge(issuer or self.ci, Plan(**plan))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The chain that a server shows, its options, and the trust settings of lpad."""

    chain: list[Forged]
    listed: tuple[bytes, ...] | None = None
    anchors: tuple[bytes, ...] = ()
    system: bytes | None = None
    revoked: tuple[x509.CertificateRevocationList, ...] = ()
    forbidden: tuple[bytes, ...] | None = None
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    server: dict[str, Any] = field(default_factory=dict)
    old_tls: bool = False


CASES: dict[str, Callable[[World], Shown]] = {}


def case(name: str) -> Callable[[Callable[[World], Shown]], Callable[[World], Shown]]:
    """Return a decorator that adds a function to CASES under a name."""

    def enter(build: Callable[[World], Shown]) -> Callable[[World], Shown]:
        assert name not in CASES
        CASES[name] = build
        return build

    return enter


def simple(name: str, build: Callable[[World], list[Forged]], **shown: Any) -> None:
    """Add a case to CASES whose function returns a chain; `shown` has the other fields of `Shown`."""
    CASES[name] = lambda world: Shown(chain=build(world), **shown)


def crl(issuer: Forged, *revoked: Forged) -> x509.CertificateRevocationList:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject)
    builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=30))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, now)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


# Valid chains: all of them are trusted.
simple("a certificate signed by one of the card's CIs, alone", lambda w: [w.leaf()])
simple("a certificate signed by one of the card's CIs, with the CI's own", lambda w: [w.leaf(), w.ci])
simple(
    "under a brainpoolP256r1 CI, with a brainpool key",
    lambda w: [w.leaf(w.brainpool, key=curve_key(ec.BrainpoolP256R1))],
)
simple("under a brainpoolP256r1 CI, with a P-256 key", lambda w: [w.leaf(w.brainpool)])
simple("under a P-256 CI, with a brainpool key", lambda w: [w.leaf(key=curve_key(ec.BrainpoolP256R1))])
simple(
    "a brainpool chain with its CI's certificate",
    lambda w: [w.leaf(w.brainpool, key=curve_key(ec.BrainpoolP256R1)), w.brainpool],
)
simple("under a P-256 CI, with an RSA key of 2048 bits", lambda w: [w.leaf(key=rsa_key())])
simple("signed with SHA-384", lambda w: [w.leaf(algorithm=hashes.SHA384())])
simple("under a sub-CA", lambda w: [w.leaf(w.sub), w.sub])
simple("under a sub-CA, with the CI's certificate", lambda w: [w.leaf(w.sub), w.sub, w.ci])
simple("under two sub-CAs", lambda w: [w.leaf(w.low), w.low, w.sub])
simple("under two sub-CAs, in the wrong order", lambda w: [w.leaf(w.low), w.sub, w.low])
simple("under two sub-CAs, the CI's certificate between them", lambda w: [w.leaf(w.low), w.sub, w.ci, w.low])
simple("each certificate twice", lambda w: [(leaf := w.leaf(w.sub)), leaf, w.sub, w.sub, w.ci, w.ci])
simple("unrelated certificates among its own", lambda w: [w.leaf(w.sub), w.other, w.web, w.sub, w.brainpool])
simple("next to its certificate, another one with the CI's name", lambda w: [w.leaf(), authority("Test CI")])
simple(
    "the CI's key, certified by another CA as well",
    lambda w: [w.leaf(), forge(w.other, Plan(subject="Test CI", ca=True, key=w.ci.key, roles=()))],
)
simple("the role of an SM-DS (ds-tls)", lambda w: [w.leaf(roles=(ROLE_DS_TLS,))])
simple("the role with its number in SGP.22 version 3", lambda w: [w.leaf(roles=(ROLE_DP_TLS_V3,))])
simple("a wildcard name (*.example.com)", lambda w: [w.leaf(names=("*.example.com",))])
simple("no authorityKeyIdentifier", lambda w: [w.leaf(without_issuer_key_id=True)])
simple("a wrong subjectKeyIdentifier of its own", lambda w: [w.leaf(subject_key_id=bytes(20))])
simple("TLS 1.2 at most", lambda w: [w.leaf()], server={"version": ssl.TLSVersion.TLSv1_2})
CASES["a CI that the card lists by the first 16 bytes of its key identifier"] = lambda w: Shown(
    chain=[w.leaf()], listed=(w.ci.key_id[:16],)
)
CASES["a CI whose certificate is in `trust.d`; the card lists none"] = lambda w: Shown(
    chain=[w.leaf()], listed=(), anchors=(w.ci.der,)
)
CASES["a sub-CA whose certificate is in `trust.d`"] = lambda w: Shown(
    chain=[w.leaf(w.low), w.low], listed=(), anchors=(w.low.der,)
)
CASES["its own certificate in `trust.d`"] = lambda w: Shown(
    chain=[own := forge(None, Plan())], listed=(), anchors=(own.der,)
)
CASES["a web CA in `trust.d` (RSA, no roles)"] = lambda w: Shown(
    chain=[w.leaf(w.web, roles=())], anchors=(w.web.der,)
)
CASES["a web CA in the system's store (RSA, no roles)"] = lambda w: Shown(
    chain=[w.leaf(w.web, roles=())], system=w.web.der
)
CASES["a revocation list of its CI that does not list it"] = lambda w: Shown(
    chain=[w.leaf()], revoked=(crl(w.ci, w.leaf()),)
)
CASES["a revocation list that lists it, in the CI's name, signed by another key"] = lambda w: Shown(
    chain=[leaf := w.leaf()], revoked=(crl(authority("Test CI"), leaf),)
)

# Times.
simple("expired", lambda w: [w.leaf(start=-9 * DAY, end=-DAY)])
simple("not valid yet", lambda w: [w.leaf(start=DAY)])
simple(
    "an expired sub-CA",
    lambda w: [w.leaf(sub := authority("Old", issuer=w.ci, start=-9 * DAY, end=-DAY)), sub],
)
simple(
    "a sub-CA that is not valid yet", lambda w: [w.leaf(sub := authority("New", issuer=w.ci, start=DAY)), sub]
)
simple(
    "with an expired certificate of the CI",
    lambda w: [w.leaf(), authority("Test CI", key=w.ci.key, start=-9 * DAY, end=-DAY)],
)
# Names.
simple("another name", lambda w: [w.leaf(names=("other.example.com",))])
simple("the name only in the subject", lambda w: [w.leaf(names=())])
simple(
    "a wildcard name of another level (*.smdp.example.com)", lambda w: [w.leaf(names=("*.smdp.example.com",))]
)
simple(
    "a longer name that begins with the right one (smdp.example.com.evil.example)",
    lambda w: [w.leaf(names=("smdp.example.com.evil.example",))],
)
simple(
    "a sub-CA that may issue for other names only",
    lambda w: [w.leaf(sub := authority("Bound", issuer=w.ci, permitted=("other.example",))), sub],
)
# Purposes and roles.
simple("for TLS clients only (extendedKeyUsage)", lambda w: [w.leaf(purposes=(CLIENT,))])
simple("no extendedKeyUsage", lambda w: [w.leaf(purposes=None)])
simple("for key agreement only (keyUsage)", lambda w: [w.leaf(usage=frozenset({"key_agreement"}))])
simple("for signing certificates only (keyUsage)", lambda w: [w.leaf(usage=frozenset({"key_cert_sign"}))])
simple("under a P-256 CI, with a P-384 key", lambda w: [w.leaf(key=curve_key(ec.SECP384R1))])
simple("no role", lambda w: [w.leaf(roles=())])
simple(
    "the role with which an SM-DP+ authenticates to cards (dp-auth)",
    lambda w: [w.leaf(roles=(ROLE_DP_AUTH,))],
)
simple("a certificate policy that is not a role", lambda w: [w.leaf(roles=("1.2.3.4",))])
simple(
    "issued by a card maker (EUM)",
    lambda w: [w.leaf(eum := authority("EUM", issuer=w.ci, roles=(ROLE_EUM,))), eum],
)
CASES["no role, under a CI in `trust.d`"] = lambda w: Shown(
    chain=[w.leaf(roles=())], listed=(), anchors=(w.ci.der,)
)
simple("an unknown critical extension", lambda w: [w.leaf(critical=True)])
# Chains.
simple("issued by another server", lambda w: [w.leaf(middle := w.leaf()), middle])
simple(
    "issued by a sub-CA that may not sign certificates (keyUsage)",
    lambda w: [w.leaf(sub := authority("Mute", issuer=w.ci, usage=frozenset({"crl_sign"}))), sub],
)
simple(
    "issued by a sub-CA without basicConstraints",
    lambda w: [w.leaf(sub := authority("None", issuer=w.ci, basic_constraints=False)), sub],
)
simple(
    "a sub-CA below one that allows no CA below it",
    lambda w: [w.leaf(sub := authority("Low", issuer=w.low)), sub, w.low, w.sub],
)
simple("without its sub-CA", lambda w: [w.leaf(w.sub)])
simple("without the upper one of two sub-CAs", lambda w: [w.leaf(w.low), w.low])
simple(
    "a sub-CA on P-384",
    lambda w: [w.leaf(sub := authority("P-384", issuer=w.ci, key=curve_key(ec.SECP384R1))), sub],
)


@case("ten sub-CAs, one below the other")
def ten(w: World) -> Shown:
    subs = [w.ci]
    for number in range(10):
        subs.append(authority(f"Sub-CA {number}", issuer=subs[-1]))
    return Shown(chain=[w.leaf(subs[-1]), *reversed(subs[1:])])


simple(
    "120 kB of certificates",
    lambda w: [w.leaf(), *(authority(f"Ballast {n}", padding=12_000) for n in range(10))],
)


@case("two sub-CAs that certify each other")
def ring(w: World) -> Shown:
    one, two = authority("One", issuer=w.other), authority("Two", issuer=w.other)
    again = forge(two, Plan(subject="One", ca=True, key=one.key, roles=()))
    back = forge(one, Plan(subject="Two", ca=True, key=two.key, roles=()))
    return Shown(chain=[w.leaf(one), again, back])


simple(
    "a name with a zero byte after the right one",
    lambda w: [w.leaf(names=("smdp.example.com\0.evil.example",))],
)
# Signatures.
simple("a wrong signature", lambda w: [spoilt(w.leaf())])
simple("a sub-CA with a wrong signature", lambda w: [w.leaf(w.sub), spoilt(w.sub)])
CASES["a wrong signature, under a CI in `trust.d`"] = lambda w: Shown(
    chain=[spoilt(w.leaf())], anchors=(w.ci.der,)
)
# Issuers.
simple("an unknown CI", lambda w: [w.leaf(w.other), w.other])
CASES["a CI that another card lists, but not this one"] = lambda w: Shown(
    chain=[w.leaf(w.brainpool)], listed=(w.ci.key_id,)
)
CASES["the usual CI, with a card that lists none"] = lambda w: Shown(chain=[w.leaf()], listed=())
CASES["a CI that the card lists by the first 8 bytes of its key identifier only"] = lambda w: Shown(
    chain=[w.leaf()], listed=(w.ci.key_id[:8],)
)
CASES["a CI that the settings forbid"] = lambda w: Shown(chain=[w.leaf()], forbidden=(w.ci.key_id,))
simple("self-signed", lambda w: [forge(None, Plan())])
simple(
    "self-signed, with the CI's name and key identifier as the issuer's",
    lambda w: [forge(None, Plan(issuer_name=w.ci.certificate.subject, issuer_key_id=w.ci.key_id))],
)
simple(
    "under a root with the CI's name and key identifier",
    lambda w: [
        w.leaf(false := authority("Test CI", subject_key_id=w.ci.key_id), issuer_key_id=w.ci.key_id),
        false,
    ],
)
simple(
    "under a root with the CI's name, the CI's certificate next to it",
    lambda w: [
        w.leaf(false := authority("Test CI", subject_key_id=w.ci.key_id), issuer_key_id=w.ci.key_id),
        w.ci,
        false,
    ],
)
simple(
    "above its certificate, a genuine server's whose key did not sign it",
    lambda w: [w.leaf(Forged((true := w.leaf(subject="true")).certificate, curve_key())), true],
)
CASES["an unknown web CA"] = lambda w: Shown(chain=[w.leaf(w.web, roles=()), w.web])
# Revoked.
CASES["in its CI's revocation list"] = lambda w: Shown(chain=[leaf := w.leaf()], revoked=(crl(w.ci, leaf),))
CASES["a sub-CA in the CI's revocation list"] = lambda w: Shown(
    chain=[w.leaf(w.sub), w.sub], revoked=(crl(w.ci, w.sub),)
)
CASES["in its sub-CA's revocation list"] = lambda w: Shown(
    chain=[leaf := w.leaf(w.sub), w.sub], revoked=(crl(w.sub, leaf),)
)
# Weak.
simple("an RSA key of 1024 bits", lambda w: [w.leaf(key=rsa_key(1024))], server={"weak": True})
simple("TLS 1.1 at most", lambda w: [w.leaf()], server={"weak": True}, old_tls=True)
simple(
    "TLS 1.2 at most, if the settings require 1.3",
    lambda w: [w.leaf()],
    server={"version": ssl.TLSVersion.TLSv1_2},
    minimum=ssl.TLSVersion.TLSv1_3,
)
simple(
    "a brainpool key, if the settings require TLS 1.3",
    lambda w: [w.leaf(w.brainpool, key=curve_key(ec.BrainpoolP256R1))],
    minimum=ssl.TLSVersion.TLSv1_3,
)
