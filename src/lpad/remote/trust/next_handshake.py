"""The choice of the next TLS handshake with a server, and the check of its outcome.

    result of the last handshake                 the next one, on a new connection
    ------------------------------------------   -----------------------------------------------------
    nothing remembered                           anchors chosen when the chain arrives, if the card names CIs
                                                 (below); otherwise the system's roots and the operator's
    the usual anchors confirmed the server       the system's roots and the operator's
    any with the usual anchors, if the chain     anchors chosen when the chain arrives
    states that a CI of the card issued it
    a remembered anchor                          that anchor alone
    no cipher in common                          the same anchors, now with brainpool; without, if it
                                                 was offered
    no anchor for the server's chain, or         the certificate that one of the card's CIs signed is
    a bad certificate and a remembered anchor    the only anchor; if there is none and an anchor was
                                                 remembered, the system's roots and the operator's
    anything else, or the next was already tried none: the server is untrusted

A handshake that does not verify the server ends before a byte of HTTP is sent.

The system's roots take long to load. Once they, or the operator's anchors, have confirmed a server, its next
handshakes use a context that already has these anchors. Such a handshake counts only if the choice below
would give the same anchors for the chain.

The choice when the chain arrives (`chain_during_handshake`): if a certificate in it states that one of the
card's CIs issued it, and none of the operator's anchors is involved, the certificate that the CI's key has
signed becomes the only anchor. Otherwise the system's roots and the operator's are added. OpenSSL then
verifies the chain.
"""

from __future__ import annotations

import logging
import ssl
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lpad.remote.trust import chain_during_handshake, tls_failure
from lpad.remote.trust.anchor_named_by_card import find_anchor, states_issuer, trace
from lpad.remote.trust.server_role import check_role
from lpad.remote.trust.trust_anchors import Offer

if TYPE_CHECKING:
    from lpad.base.errors import LpadError
    from lpad.base.server_address import ServerAddress
    from lpad.remote.trust.anchor_named_by_card import Anchor, CardTrust, ChainLink
    from lpad.remote.trust.trust_anchors import Trust

_LOG = logging.getLogger(__name__)


class Handshakes:
    """The handshakes of one connection to `server`, for a card."""

    def __init__(self, server: ServerAddress, *, trust: Trust, card: CardTrust) -> None:
        self._server = server
        self._trust = trust
        self.named = trust.memory.authorities(card.eid, card.authorities)
        """The CIs that the card names; `authorities` has only the permitted CIs."""
        self.authorities = trust.permitted(self.named)
        self._tried: list[Offer] = []
        memory, name = trust.memory, str(server)
        remembered = memory.anchor(name, self.authorities)
        chooses = remembered is None and bool(self.authorities) and chain_during_handshake.CAN_WATCH
        self._presumed = chooses and memory.needs_usual(name)
        """Whether the usual anchors are offered without a choice, because they sufficed last time."""
        self._offer = Offer(
            remembered,
            brainpool=memory.needs_brainpool(name),
            on_arrival=chooses and not self._presumed,
        )
        self._remembered = remembered
        self.presented: list[bytes] = []
        """The certificates that the server showed last; `path` is the path found in them."""
        self.path: tuple[ChainLink, ...] = ()
        self.verified: list[bytes] = []
        """The chain that OpenSSL verified, the anchor last."""
        self.tls: str | None = None
        """The negotiated version of TLS."""

    @property
    def server(self) -> str:
        """The server's name, or name:port."""
        return str(self._server)

    @property
    def offer(self) -> Offer:
        """The offer of the next handshake, or of the last one."""
        return self._offer

    def context(self) -> ssl.SSLContext:
        """Return the context of the next handshake."""
        self._tried.append(self._offer)
        try:
            context = self._trust.context(self._offer)
        except (ssl.SSLError, ValueError):
            if self._offer.anchor is None:
                raise
            # The remembered bytes are not a certificate: the disk has damaged them.
            self._forget(self._offer.anchor)
            self._offer = replace(self._offer, anchor=None)
            return self.context()
        if self._offer.on_arrival:
            chain_during_handshake.watch(context, partial(self._add_anchors, context))
        return context

    def failed(self, error: ssl.SSLError, tls: ssl.SSLSocket) -> LpadError | None:
        """Choose the next handshake after a failed one; return None, or the error if there is no other."""
        chain_during_handshake.unwatch(tls.context)
        self.presented = presented_chain(tls)
        following = self._following(error)
        if following is None or following in self._tried:
            self._settle_brainpool(error)
            return tls_failure.untrusted(error, server=str(self._server), presented=self.presented)
        _LOG.info("%s: %s; trying again with %s", self._server, error.reason, _described(following))
        self._offer = following
        return None

    def succeeded(self, tls: ssl.SSLSocket) -> bool:
        """Make the checks that OpenSSL does not make, and remember the successful handshake.

        Returns:
            Whether the handshake counts; otherwise another handshake must be made on a new connection.

        Raises:
            ServerUntrusted: the certificate is not for an eSIM server, or was revoked.
        """
        chain_during_handshake.unwatch(tls.context)
        chain = self.verified = verified_chain(tls)
        self.presented, self.tls = presented_chain(tls), tls.version()
        if self._presumed and self._is_cards(self.presented):
            self._offer = self._choice()
            return False
        name = str(self._server)
        check_role(chain, anchor=self._offer.anchor, authorities=self.authorities, server=name)
        self._trust.revocations.check(chain, server=name)
        self._trust.memory.remember_brainpool(name, needed=self._offer.brainpool)
        if self._offer.anchor is not None:
            self._trust.memory.remember_anchor(name, self._offer.anchor)
        usual = self._offer.anchor is None and not self._is_cards(self.presented)
        self._trust.memory.remember_usual(name, needed=usual)
        return True

    def is_operators(self, chain: list[bytes]) -> bool:
        """Return whether a verified chain ends in one of the operator's anchors, not the system's."""
        return self._trust.is_operators(chain[-1])

    def _add_anchors(self, context: ssl.SSLContext, presented: list[bytes]) -> None:
        """Add the anchors that the rest of this handshake needs, before OpenSSL verifies the chain."""
        found = None
        if self._is_cards(presented):
            self.path = trace(presented)
            found = find_anchor(self.path, self.authorities)
        chosen = replace(self._offer, anchor=found, on_arrival=False)
        try:
            self._trust.add_anchors(context, chosen)
        except (ssl.SSLError, ValueError):
            return  # OpenSSL cannot read that certificate; the handshake fails for lack of an anchor
        self._offer = chosen
        self._tried.append(chosen)

    def _is_cards(self, presented: list[bytes]) -> bool:
        """Return whether a chain states a CI of the card as issuer, and no operator's anchor is involved."""
        return states_issuer(presented, self.authorities) and not self._trust.concerns_operators(presented)

    def _choice(self) -> Offer:
        """Return an offer whose anchors are chosen when the chain arrives, in place of the usual anchors."""
        self._presumed = False
        self._trust.memory.remember_usual(str(self._server), needed=False)
        return replace(self._offer, on_arrival=True)

    def _following(self, error: ssl.SSLError) -> Offer | None:
        if self._offer.brainpool and not tls_failure.is_of_certificate(error):
            return replace(self._offer, brainpool=False)  # the server may no longer need brainpool
        if tls_failure.is_no_shared_cipher(error):
            return replace(self._offer, brainpool=True) if self._trust.may_offer_brainpool else None
        if self._presumed and tls_failure.is_of_certificate(error) and self._is_cards(self.presented):
            return self._choice()
        anchor = self._offer.anchor
        # The remembered anchor may be outdated: a sub-CA was renewed with the same name and key.
        remembered = anchor is not None and anchor == self._remembered
        if not (
            tls_failure.is_without_anchor(error) or (remembered and tls_failure.is_of_certificate(error))
        ):
            return None
        self.path = trace(self.presented)
        found = find_anchor(self.path, self.authorities)
        if found == anchor and not self._offer.on_arrival:
            return None
        if anchor is not None:
            self._forget(anchor)
        return replace(self._offer, anchor=found, on_arrival=False)

    def _forget(self, anchor: Anchor) -> None:
        self._trust.memory.forget_anchor(str(self._server), anchor)

    def _settle_brainpool(self, error: ssl.SSLError) -> None:
        if tls_failure.is_no_shared_cipher(error):
            self._trust.memory.remember_brainpool(str(self._server), needed=False)


def presented_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server showed, DER, even if they could not be verified."""
    return _chain(tls, "get_unverified_chain")


def verified_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the chain that OpenSSL built, DER, the server's certificate first, the anchor last."""
    return _chain(tls, "get_verified_chain")


def _chain(tls: Any, method: str) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return list(getattr(tls, method)())
    # In Python 3.10 to 3.12 only the internal object has these methods, which return OpenSSL's objects.
    import _ssl  # noqa: PLC0415  only these versions need it

    return [each.public_bytes(_ssl.ENCODING_DER) for each in getattr(tls._sslobj, method)() or ()]  # noqa: SLF001  no public object has these methods


def _described(offer: Offer) -> str:
    anchors = "the usual anchors" if offer.anchor is None else "an anchor that the card names"
    return f"{anchors}, brainpool" if offer.brainpool else anchors
