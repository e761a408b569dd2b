"""Lpad's handshakes with servers that show all kinds of chains, for the table in docs/security.md.

`python -m remote.chain_table`, run in tests/, generates the table again; with OpenSSL 3.2 or later, the
table of the rows that differ with that OpenSSL.
"""

from __future__ import annotations

import re
import ssl
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from lpad.base.deadline import Deadline
from lpad.base.server_address import ServerAddress
from lpad.codec.x509.revocation_list import RevocationList
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Route
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Offer, Trust
from remote.forge import NAME
from remote.scripted_server import Reply, ScriptedServer
from remote.server_chains import CASES, World

if TYPE_CHECKING:
    from lpad.remote.trust.server_trust_report import TrustReport
    from remote.server_chains import Shown

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- table of chains: begin -->\n", "<!-- table of chains: end -->\n"
LATER_BEGIN, LATER_END = "<!-- later OpenSSL: begin -->\n", "<!-- later OpenSSL: end -->\n"
LATER = ssl.OPENSSL_VERSION_INFO >= (3, 2)
"""Whether brainpool curves can be used in TLS 1.3 (RFC 8734), so that one handshake fewer is needed."""
HEADINGS = "| the server shows | lpad's answer | handshakes |\n|---|---|---|\n"
_TRUSTED = {
    "card": "trusted: the card's list",
    "operator": "trusted: the operator's CA",
    "system": "trusted: the system's CA",
}


def answer(name: str, world: World, folder: Path) -> str:
    """Have lpad check the trust of a server with a case's chain, and return the table's row."""
    shown = CASES[name](world)
    trust = _trust(shown)
    listed = (world.ci.key_id, world.brainpool.key_id) if shown.listed is None else shown.listed
    first, *rest = shown.chain
    with ExitStack() as stack:
        made = ScriptedServer(lambda _: Reply(204), first, folder, chain=tuple(rest), **shown.server)  # type: ignore[arg-type]  # Forged has the used attributes
        if shown.old_tls:
            _only_old_tls(made.context)
        server = stack.enter_context(made)
        hosts = HostOverrides.parse({NAME: f"127.0.0.1:{server.port}"})
        card = CardTrust("89", listed)
        client = stack.enter_context(
            Es9Plus(ServerAddress.parse(NAME), trust=trust, route=Route(hosts), card=card)
        )
        report = client.check_trust(deadline=Deadline.after(60))
        assert server.seen == []
        assert server.connects == report.handshakes
    return f"| {name} | {_told(report)} | {report.handshakes} |\n"


def table(folder: Path) -> str:
    """Return the whole table of chains."""
    world = World()
    return HEADINGS + "".join(answer(name, world, folder) for name in CASES)


def expected() -> dict[str, str]:
    """Return the row in docs/security.md for each case, for this machine's version of OpenSSL."""
    document = DOCUMENT.read_text(encoding="utf-8")
    found = _rows(document, BEGIN, END)
    return found | _rows(document, LATER_BEGIN, LATER_END) if LATER else found


def _rows(document: str, begin: str, end: str) -> dict[str, str]:
    text = document.partition(begin)[2].partition(end)[0].removeprefix(HEADINGS)
    return {re.split(r" ?\| ?", row)[1]: row for row in text.splitlines(keepends=True)}


def _told(report: TrustReport) -> str:
    if report.trusted:
        return _TRUSTED[report.anchor or ""]
    why = report.why
    if report.cause == "tls-failed":  # OpenSSL's words depend on its version
        why = why.partition(":")[0]
    return f"`{report.cause}`: `{why}`"


class _WithSystemStore(Trust):
    """Trust with the given certificates in place of the system's store, which tests must not alter."""

    system: str | bytes | None = None

    def add_anchors(self, context: ssl.SSLContext, offer: Offer) -> None:
        super().add_anchors(context, offer)
        if offer.anchor is None and self.system is not None:
            context.load_verify_locations(cadata=self.system)


def _trust(shown: Shown) -> Trust:
    trust = _WithSystemStore(
        shown.anchors,
        use_system_roots=False,
        minimum_version=shown.minimum,
        forbidden=shown.forbidden or (),
        revocations=[RevocationList.decode(each.public_bytes(Encoding.DER)) for each in shown.revoked],
    )
    trust.system = shown.system
    return trust


def _only_old_tls(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def _write(begin: str, end: str, text: str) -> None:
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    DOCUMENT.write_text(before + begin + text + end + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        fresh = table(Path(made))
    if LATER:
        usual = _rows(DOCUMENT.read_text(encoding="utf-8"), BEGIN, END).values()
        differ = [row for row in fresh.removeprefix(HEADINGS).splitlines(keepends=True) if row not in usual]
        _write(LATER_BEGIN, LATER_END, HEADINGS + "".join(differ))
    else:
        _write(BEGIN, END, fresh)
