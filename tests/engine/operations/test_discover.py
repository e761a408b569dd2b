"""Discovery as a change, against a card in a modem, SM-DSs and an SM-DP+: from the event to the profile."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import CARD, FIRST, SECOND, result_of
from lpad.engine.change.change import DISCOVERY, Kind, State
from lpad.engine.change.params import DownloadParams
from lpad.engine.policy.discovery import Install
from lpad.engine.policy.install_policies_by_card import Policies
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.unattended import unattended_discovery
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smds.server import events_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[DiscoveryLab]:
    """Yield a lab with a card, an SM-DP+ and two SM-DSs."""
    with DiscoveryLab(tmp_path, pki) as made:
        yield made


def shown(change: Change) -> list[tuple[str, str]]:
    return [(each["event_id"], each["state"]) for each in result_of(change)["events"]]


def test_a_discovery_lists_the_events(lab: DiscoveryLab) -> None:
    """A discovery shows each event, with its server and the SM-DS; nothing is downloaded."""
    lab.event()
    lab.start(lab.policy())
    change = lab.discover()
    assert change.state is State.DONE, change.error
    assert result_of(change)["servers"] == [{"address": lab.root.address, "events": 1}]
    (event,) = result_of(change)["events"]
    assert event == {
        "event_id": "EVENT-1",
        "server": lab.server.address,
        "listed_by": lab.root.address,
        "state": "listed",
    }
    assert lab.card.profiles == ()


def test_from_the_root_to_an_enabled_profile(lab: DiscoveryLab) -> None:
    """Lpad follows root and alternative SM-DS to the SM-DP+; the event is deleted after the installation."""
    order = lab.event(cascade=True)
    lab.start(lab.policy())
    change = lab.discover(install=True)
    assert shown(change) == [("EVENT-1", "wanted")]
    (download,) = lab.downloads()
    assert (download.state, download.origin) == (State.DONE, DISCOVERY), download.error
    assert lab.enabled() == [FIRST]
    lab.until_true(lambda: lab.server.orders.get(order.id).state is OrderState.INSTALLED)
    change = lab.discover(install=True)
    assert shown(change) == [("EVENT-1", "installed")]
    assert result_of(change)["servers"] == [{"address": lab.root.address, "events": 0}]
    assert len(lab.downloads()) == 1


def test_of_several_events_the_first_is_enabled(lab: DiscoveryLab) -> None:
    """All profiles are installed one after the other, in the order of the list; only the first is enabled."""
    lab.event()
    lab.event(SECOND, "EVENT-2")
    lab.start(lab.policy())
    lab.discover(install=True)
    downloads = lab.downloads(2)
    assert [each.state for each in downloads] == [State.DONE, State.DONE]
    assert (lab.installed(), lab.enabled()) == ([FIRST, SECOND], [FIRST])


def test_the_next_is_enabled_if_the_first_fails(lab: DiscoveryLab) -> None:
    """An event whose order is gone hides no other, and the profile of the next one is enabled."""
    order = lab.event()
    lab.event(SECOND, "EVENT-2")
    lab.server.orders.change(order.id, state=OrderState.CANCELLED, events=())
    events_of(lab.root.folder).register(
        eid=lab.card.eid.digits, address=lab.server.address, event_id="EVENT-3"
    )
    lab.start(lab.policy())
    lab.discover(install=True)
    assert lab.downloads(2)
    lab.until_true(lambda: lab.enabled() == [SECOND])
    change = lab.discover()
    assert ("EVENT-2", "installed") in shown(change)


@pytest.mark.parametrize("failure", ["dead", "not-released"])
def test_an_event_that_cannot_be_had_now_holds_no_other(
    lab: DiscoveryLab, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    """While other events wait, a download is retried only briefly; the last event's has the usual time."""
    monkeypatch.setattr(unattended_discovery, "BEFORE_OTHERS", 0.2)
    lab.patient(retry=3600)
    if failure == "dead":
        events_of(lab.root.folder).register(
            eid=lab.card.eid.digits, address="gone.invalid", event_id="EVENT-1"
        )
    else:
        order = lab.event()
        lab.server.orders.change(order.id, state=OrderState.CONFIRMED)
    lab.event(SECOND, "EVENT-2")
    lab.start(lab.policy())
    lab.discover(install=True)
    first, second = lab.downloads(2)
    assert (first.state, second.state) == (State.FAILED, State.DONE), (first.error, second.error)
    assert (lab.installed(), lab.enabled()) == ([SECOND], [SECOND])
    asked = [each.params_of(DownloadParams) for each in (first, second)]
    assert [(each.when_online, each.retry_for) for each in asked] == [(False, 0.2), (True, 3600)]


def test_an_event_that_is_still_listed_is_not_a_second_download(lab: DiscoveryLab) -> None:
    """Lpad does not download an installed event again, even if it is listed, and its profile was deleted."""
    lab.root.faults.add(Fault(kind=FaultKind.DELETED_EVENTS, function="authenticateClient", times=0))
    lab.event()
    lab.start(lab.policy())
    lab.discover(install=True)
    (download,) = lab.downloads()
    assert download.state is State.DONE, download.error
    assert lab.carry_out(Kind.DISABLE, iccid=FIRST, accept_offline=True).error is None
    assert lab.carry_out(Kind.DELETE, iccid=FIRST).error is None
    lab.stop()
    lab.start(lab.policy())
    change = lab.discover(install=True)
    assert shown(change) == [("EVENT-1", "installed")]
    assert result_of(change)["servers"][0]["events"] == 1
    assert lab.carry_out(Kind.REFRESH).error is None
    assert len(lab.downloads()) == 1
    assert lab.card.profiles == ()


def test_a_caller_retries_an_event(lab: DiscoveryLab) -> None:
    """A caller can download one event at any time; the download's result becomes the event's."""
    lab.event()
    lab.start(lab.policy())
    lab.discover()
    event = {"server": lab.server.address, "event_id": "EVENT-1"}
    change = lab.carry_out(Kind.DOWNLOAD, event=event)
    assert change.state is State.DONE, change.error
    assert lab.enabled() == []
    assert shown(lab.discover(install=True)) == [("EVENT-1", "installed")]


def test_a_server_that_the_policy_forbids(lab: DiscoveryLab) -> None:
    """A forbidden server's event is shown with the reason, and the server is never contacted."""
    lab.event()
    lab.policies = Policies(InstallPolicy(servers=("*.operator.example",)))
    lab.start(lab.policy())
    change = lab.discover(install=True)
    assert shown(change) == [("EVENT-1", "forbidden")]
    assert "do not allow" in result_of(change)["events"][0]["why"]
    assert lab.carry_out(Kind.REFRESH).error is None
    assert lab.server.counters.tcp_connects == 0


def test_one_failing_server_hides_no_other(lab: DiscoveryLab) -> None:
    """If one SM-DS fails, the result has the events of the others, and the error of the one that failed."""
    lab.event()
    lab.alternative.faults.add(Fault(kind=FaultKind.REFUSE, value="8.9.1/3.8", times=0))
    lab.start(lab.policy())
    change = lab.discover(servers=[lab.alternative.address, lab.root.address])
    assert shown(change) == [("EVENT-1", "listed")]
    first, second = result_of(change)["servers"]
    assert (first["kind"], second["events"]) == ("server-refused", 1)


def test_if_no_server_answers_the_change_fails(lab: DiscoveryLab) -> None:
    """If no SM-DS answers, the discovery fails with the error of the first one."""
    lab.root.faults.add(Fault(kind=FaultKind.HTTP_STATUS, value=503, times=0))
    lab.start(lab.policy())
    change = lab.discover()
    assert change.error is not None
    assert change.error.kind == "server-failed"


def test_the_test_address_counts_as_not_set(lab: DiscoveryLab) -> None:
    """The test address in the card counts as not set, and the error names the setting."""
    lab.start(lab.policy(servers=()))
    change = lab.discover()
    assert change.error is not None
    assert (change.error.kind, "discovery.servers" in change.error.sentence) == ("conflict", True)


def test_lpad_asks_without_a_request(lab: DiscoveryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A periodic discovery downloads the profiles that the policy allows, and restarts keep its plan."""
    lab.event()
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    port = lab.policy(every=86_400.0, install=Install.ALLOWED)
    lab.start(port)
    (download,) = lab.downloads()
    assert download.state is State.DONE, download.error
    assert lab.enabled() == [FIRST]
    for _ in range(2):
        lab.stop()
        lab.start(port)
        assert lab.carry_out(Kind.REFRESH).error is None
    asked = [each for each in lab.engine.changes() if each.kind is Kind.DISCOVER]
    assert [each.origin for each in asked] == [DISCOVERY]


def test_lpad_only_looks_without_a_request(lab: DiscoveryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `install: never`, a periodic discovery only lists events."""
    lab.event()
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    lab.start(lab.policy(every=86_400.0))
    (asked,) = lab.until(lab.engine.changes, lambda seen: bool(seen) and seen[0].state.ended)
    assert shown(asked) == [("EVENT-1", "listed")]
    assert lab.carry_out(Kind.REFRESH).error is None
    assert lab.card.profiles == ()


def test_an_owner_is_asked_for_each_profile(lab: DiscoveryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `install: ask`, the download after a periodic discovery waits for consent."""
    lab.event()
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    lab.start(lab.policy(every=86_400.0, install=Install.ASK))
    (download,) = lab.until(
        lambda: [each for each in lab.engine.changes() if each.kind is Kind.DOWNLOAD],
        lambda seen: bool(seen) and seen[0].question is not None,
    )
    lab.engine.cancel(download.id)
    lab.ended(download.id)
    assert lab.card.profiles == ()


def test_an_empty_card_finds_its_profile(lab: DiscoveryLab) -> None:
    """If `provisioning.on_empty` names the SM-DSs, an empty card gets its first profile from them."""
    lab.event(cascade=True)
    empty = ProvisioningPolicy(on_empty=("discovery",))
    lab.start(replace(lab.policy(install=Install.ALLOWED), provisioning=empty))
    (download,) = lab.downloads()
    assert download.state is State.DONE, download.error
    assert lab.enabled() == [FIRST]
    origins = [(each.kind, each.origin) for each in reversed(lab.engine.changes())]
    assert origins[:2] == [(Kind.DISCOVER, "provision"), (Kind.DOWNLOAD, DISCOVERY)]
    assert lab.engine.snapshot(CARD).listed.certainly_unprovided is False
