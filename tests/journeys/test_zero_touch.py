"""Zero touch: without a user, a gateway gets the profile for its card from a platform in the settings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.client import ApiError
from lpad.engine.provisioning import query_times
from lpad.provisioning.declared.platform_file import shipped
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.reservations import Line, Pace
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.client import Change
    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Answer, Request

NO_LINES = ("soracom", "yoni")
"""Platforms at which no line is activated, because they have no lines or no separate activation."""
REGISTERED = {"until": ["registered"], "within": PATIENCE}


@contextmanager
def provided(like: str, **provisioning: Any) -> Iterator[tuple[Gateway, SimulatedPlatform]]:
    """Yield a gateway and the platform in its settings; `things` already has a reservation for the card."""
    gateway = Gateway()
    shelf = SmdpShelf(gateway.server.orders, address=lambda: gateway.server.address)
    with SimulatedPlatform(like, pki=gateway.pki, shelf=shelf, pace=Pace(profile=1, line=0)) as platform:
        credentials = {}
        for name, value in platform.credentials.items():
            path = gateway.folder / f"credential-{name}"
            path.write_text(value)
            path.chmod(0o600)
            credentials[name] = str(path)
        section = {
            "like": like,
            "credentials": credentials,
            "options": platform.options,
            "ca_files": [str(path) for path in gateway._ci],
        }
        if like in ("desk", "things", "yoni"):
            section["base"] = platform.base
        if platform.product is not None:
            section["product"] = platform.product
        gateway._settings = {"platforms": {"mine": section}, "provisioning": provisioning}
        write = gateway.write_settings

        def with_hosts() -> Any:
            hosts = {gateway.server.address: "127.0.0.1", **platform.hosts}
            gateway._settings = {**gateway._settings, "remote": {"hosts": hosts}}
            if like == "things" and not platform.stock.reserved:
                gateway._euicc = {"default_smdp": gateway.server.address}
                platform.stock.look(platform.stock.order(eid=str(gateway.card.eid)))
            return write()

        gateway.write_settings = with_hosts  # type: ignore[method-assign]
        with gateway:
            yield gateway, platform


def provisioned(gateway: Gateway) -> Change:
    """Return the change that lpad has begun without a request, once it has ended."""
    gateway.ready()
    gateway.until(lambda: any(each.origin == "provision" for each in gateway.client.changes()))
    (change,) = [each for each in gateway.client.changes() if each.origin == "provision"]
    return gateway.client.wait(change.id, seconds=PATIENCE)


@pytest.mark.parametrize("like", shipped())
def test_from_power_on_to_a_registered_profile(like: str) -> None:
    """With each shipped platform, a new gateway orders, downloads and enables one profile."""
    with provided(like, on_empty=["mine"], **REGISTERED) as (gateway, platform):
        ended = provisioned(gateway)
        assert (ended.kind, ended.state) == ("provision", "done"), ended.error
        (profile,) = gateway.client.profiles(CARD)
        assert (profile.iccid, profile.state) == ((ended.result or {})["iccid"], "enabled")
        assert (platform.orders, platform.calls["order"]) == (1, int(like != "things"))
        assert platform.stock.reserved[0].line is (Line.IDLE if like in NO_LINES else Line.LIVE)
        gateway.until(lambda: {each.event for each in gateway.server.notifications} >= {"install", "enable"})
        assert gateway.client.euicc(CARD).wish is None
        for secret in platform.credentials.values():
            assert secret not in gateway.log


def test_a_restart_asks_for_nothing() -> None:
    """After a restart, a gateway that already has its profile sends no order to the platform."""
    with provided("desk", on_empty=["mine"]) as (gateway, platform):
        assert provisioned(gateway).state == "done"
        gateway.stop()
        gateway.start()
        gateway.ready()
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert platform.orders == 1


def test_asked_for_over_the_socket() -> None:
    """A client lists products and requests one by its ID; a repeated request returns the same change."""
    with provided("desk") as (gateway, platform):
        gateway.ready()
        client = gateway.client
        assert [each.name for each in client.platforms()] == ["mine"]
        assert [each.id for each in client.products("mine")] == ["global-1gb", "europe-5gb"]
        change = client.provision(CARD, product="europe-5gb")
        assert client.provision(CARD).id == change.id
        ended = client.wait(change.id, seconds=PATIENCE).check()
        assert ended.result is not None
        assert (ended.result["enabled"], platform.stock.reserved[0].product) == (True, "europe-5gb")
        with pytest.raises(ApiError) as caught:
            client.provision(CARD, platform="other")
        assert caught.value.kind == "not-found"


def test_killed_while_waiting() -> None:
    """If the daemon is killed while the profile is pending, it continues with the same order."""
    with provided("kore") as (gateway, platform):
        platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
        gateway.ready()
        change = gateway.client.provision(CARD)
        gateway.until(lambda: gateway.client.change(change.id).pause is not None)
        wish = gateway.client.euicc(CARD).wish
        assert wish is not None
        assert (wish.platform, wish.profile, wish.orders, wish.change) == ("mine", "pending", 1, change.id)
        assert wish.next_look_at is not None
        gateway.kill()
        gateway.start()
        gateway.ready()
        gateway.until(lambda: gateway.client.change(change.id).pause is not None)
        assert (platform.orders, gateway.client.change(change.id).state) == (1, "waiting")
        gateway.client.cancel(change.id, wait=PATIENCE)
        error = gateway.client.wait(change.id, seconds=PATIENCE).error
        assert error is not None
        assert "does not take orders back" in error.sentence


class OnlyWay:
    """The only uplink of a gateway, which works only if a network serves the enabled profile."""

    def __init__(self, gateway: Gateway, platform: SimulatedPlatform, *, bars_new: bool = False) -> None:
        """Route all requests over this uplink; with `bars_new`, no network serves the platform's profiles."""
        self.barred: set[str] = set()
        """ICCIDs of profiles that no network serves."""
        self.asked: list[str] = []
        """The ICCID of the profile over which each request reached the platform, in order."""
        self._gateway = gateway
        self._bars_new = bars_new
        platform_answers, server_answers = platform.carry_out, gateway.server.carry_out

        def platform_reached(request: Request) -> tuple[Answer, Faulty]:
            self.asked.append(self._serving())
            answer = platform_answers(request)
            for each in platform.stock.reserved:
                if self._bars_new and each.placed is not None and each.placed.iccid not in self.barred:
                    self.barred.add(each.placed.iccid)
                    gateway.modem.register(each.placed.iccid, 3)
            return answer

        def server_reached(*call: Any) -> Any:
            self._serving()
            return server_answers(*call)

        platform.carry_out = platform_reached  # type: ignore[method-assign]
        gateway.server.carry_out = server_reached  # type: ignore[method-assign, assignment]  # any call

    @property
    def enabled(self) -> list[str]:
        """The ICCIDs of the enabled profiles."""
        return [str(each.iccid) for each in self._gateway.card.profiles if each.enabled]

    def serve_all(self) -> None:
        """Let networks serve all profiles from now on."""
        self._bars_new = False
        for iccid in self.barred:
            self._gateway.modem.register(iccid, 1)
        self.barred = set()

    def _serving(self) -> str:
        """Return the enabled profile that a network serves; raise ConnectionAbortedError if there is none."""
        served = [each for each in self.enabled if each not in self.barred]
        if not served:
            raise ConnectionAbortedError
        return served[0]


@pytest.mark.parametrize("like", ["desk", "kore", "soracom"])
def test_over_the_profile_that_is_replaced(like: str) -> None:
    """Without another uplink, the bootstrap profile carries all requests until the new one works."""
    with provided(like) as (gateway, platform):
        gateway.ready()
        bootstrap = gateway.install_profile(enable=True)
        way = OnlyWay(gateway, platform)
        change = gateway.client.provision(CARD, guard=["registered"], within=PATIENCE)
        ended = gateway.client.wait(change.id, seconds=PATIENCE).check()
        assert ended.result is not None
        new = ended.result["iccid"]
        # Once the new profile is enabled, lpad asks for its line, if the platform knows lines.
        assert list(dict.fromkeys(way.asked)) in ([bootstrap], [bootstrap, new])
        assert way.enabled == [new]
        assert (platform.orders, {str(each.iccid) for each in gateway.card.profiles}) == (1, {bootstrap, new})
        gateway.until(lambda: gateway.card.notifications == ())
        told = {(each.event, each.iccid) for each in gateway.server.notifications}
        assert told >= {("enable", bootstrap), ("install", new), ("disable", bootstrap), ("enable", new)}


def test_a_new_profile_that_no_network_serves() -> None:
    """If no network serves the new profile, lpad rolls back, and a second request tries it again."""
    with provided("desk") as (gateway, platform):
        gateway.ready()
        bootstrap = gateway.install_profile(enable=True)
        way = OnlyWay(gateway, platform, bars_new=True)
        change = gateway.client.provision(CARD, guard=["registered"], within=2)
        error = gateway.client.wait(change.id, seconds=PATIENCE).error
        assert error is not None
        assert (error.kind, way.enabled) == ("switch-rolled-back", [bootstrap])
        (new,) = way.barred
        way.serve_all()
        platform.stock.reserved[0].line = Line.IDLE  # The line is not used meanwhile.
        again = gateway.client.provision(CARD, guard=["registered"], within=PATIENCE)
        assert gateway.client.wait(again.id, seconds=PATIENCE).check().state == "done"
        assert (platform.orders, way.enabled) == (1, [new])
        assert (platform.calls["activate"], platform.stock.reserved[0].line) == (2, Line.LIVE)
        assert gateway.client.euicc(CARD).wish is None


def test_the_pace_of_looks() -> None:
    """Before the first query to a platform, lpad waits 15 s, and later an hour, varied by a fifth."""
    backoff = query_times.BACKOFF
    assert 12 <= backoff.after(1) <= 18
    assert 2880 <= backoff.after(99) <= 4320
