"""A gateway without CA certificates, on which only the card confirms servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journeys.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable


def test_life_by_the_cards_word(profile: Callable[[], bytes]) -> None:
    """Downloads and notifications need no CA file, and lpad remembers a confirmed server across a restart."""
    with Gateway(settings={"trust": {"system": False}}) as gateway:
        gateway.ready()
        counters = gateway.server.counters
        gateway.download(gateway.order(profile())).check()
        assert (counters.tcp_connects, counters.tls_handshakes) == (1, 1)
        gateway.stop()
        gateway.start()
        gateway.ready()
        gateway.download(gateway.order(profile()), enable=True).check()
        gateway.until(lambda: any(each.event == "enable" for each in gateway.server.notifications))
        assert counters.tcp_connects == counters.tls_handshakes
        memory = gateway.folder / "state" / "servers.json"
        assert memory.stat().st_mode & 0o777 == 0o600
        assert gateway.card.eid.digits not in memory.read_text(encoding="utf-8")


def test_a_forbidden_ci() -> None:
    """If the settings forbid the card's CIs, no server is trusted, and the advice names the setting."""
    forbidden: list[str] = []
    with Gateway(settings={"trust": {"system": False, "forbidden_issuers": forbidden}}) as gateway:
        gateway.ready()
        assert gateway.client.check_trust("modem", gateway.server.address, wait=60).result["trusted"]  # type: ignore[index]  # change ended
        gateway.stop()
        forbidden.extend(ci.key_id.hex()[:8] for ci in gateway.pki.ci.values())
        gateway.start()
        gateway.ready()
        report = gateway.client.check_trust("modem", gateway.server.address, wait=60).result
        assert report is not None
        assert not report["trusted"]
        assert "trust.forbidden_issuers" in report["advice"]
