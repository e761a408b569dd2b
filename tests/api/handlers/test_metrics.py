"""The metrics for Prometheus follow the work with cards, servers, webhooks and listeners."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from api.gateway import Gateway
from engine.discovery.discovery_lab import DiscoveryLab
from engine.guarding import ended, guarding, port, rolled_back, stuck
from engine.lab import CARD, FIRST, FROM_DEFAULT_SMDP, SECOND, Lab
from engine.test_full_disk import no_space
from engine.webhooks.receiver import Answer, Receiver, endpoint
from lpad.api.handlers.metrics import MEDIA_TYPE
from lpad.base.guard_condition import Condition
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind
from lpad.engine.events.event_data import ProfileData
from lpad.engine.events.event_types import PROFILE_ENABLED
from lpad.engine.events.happening import Happening
from lpad.engine.journal.events.event_log import KEPT
from lpad.engine.listeners.listeners import Asker
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.webhooks import endpoint_worker
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smds.server import events_of, make_smds

if TYPE_CHECKING:
    import pytest

    from lpad.simulator.pki.pki import Pki

NOTIFY, AUTHENTICATE = "handleNotification", "initiateAuthentication"
READER = Asker(user=1000, admin=False)
DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def scraped(gateway: Gateway) -> dict[str, float]:
    response = gateway.http.get("/v1/metrics")
    assert (response.status_code, response.headers["content-type"]) == (200, MEDIA_TYPE)
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> str:
    return f"{name}{sorted(labels.items())}"


def test_figures_follow_what_happens(gateway: Gateway) -> None:
    """The metrics for card, profiles, memory, changes, outbox and durations match the work that was done."""
    before = scraped(gateway)
    assert before[sample("lpad_card_state", euicc=CARD, state="ready")] == 1
    assert before[sample("lpad_card_state", euicc=CARD, state="absent")] == 0
    assert before[sample("lpad_profiles", euicc=CARD, state="disabled")] == 0
    code = gateway.lab.code(gateway.lab.order(size=3000))
    body = {"activation_code": code}
    assert gateway.http.post(f"/v1/euiccs/{CARD}/downloads?wait=120", json=body).json()["state"] == "done"
    gateway.http.post(f"/v1/euiccs/{CARD}/profiles/8900101000000000025/enable?wait=120")
    gateway.lab.server.stop()
    gateway.http.post(f"/v1/euiccs/{CARD}/profiles/{FIRST}/enable?wait=120")
    gateway.lab.until_true(lambda: not gateway.lab.copying())
    after = scraped(gateway)
    free = sample("lpad_card_free_memory_bytes", euicc=CARD, memory="non-volatile")
    assert after[free] < before[free]
    assert after[sample("lpad_profiles", euicc=CARD, state="enabled")] == 1
    assert after[sample("lpad_changes_total", kind="download", outcome="done")] == 1
    assert after[sample("lpad_changes_total", kind="enable", outcome="failed")] == 1
    assert after[sample("lpad_changes_total", kind="enable", outcome="done")] == 1
    assert after[sample("lpad_changes_unfinished", euicc=CARD)] == 0
    assert after[sample("lpad_outbox_notifications", euicc=CARD)] >= 1
    assert after[sample("lpad_outbox_oldest_age_seconds", euicc=CARD)] >= 0
    assert after[sample("lpad_es9plus_duration_seconds_count", function="GetBoundProfilePackage")] == 1
    apdus = after[sample("lpad_apdu_duration_seconds_count", euicc=CARD)]
    assert apdus > before[sample("lpad_apdu_duration_seconds_count", euicc=CARD)]
    assert after[sample("lpad_apdu_duration_seconds_bucket", euicc=CARD, le="+Inf")] == apdus


def test_every_name_is_documented(gateway: Gateway) -> None:
    """The table in docs/metrics.md matches the scraped metrics: names, types and labels."""
    gateway.http.post(f"/v1/euiccs/{CARD}/downloads?wait=120", json={"activation_code": code_of(gateway)})
    with Receiver() as receiver:
        gateway.lab.engine.webhooks.become([endpoint(receiver)])
        _have_events_dropped(gateway.lab)
    gateway.lab.engine.listeners.connect("bridge", READER, after=0)
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(lpad_\w+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE)
    documented = {(name, type_, tuple(re.findall(r"`(\w+)`", labels))) for name, type_, labels in rows}
    families = text_string_to_metric_families(gateway.http.get("/v1/metrics").text)
    told = set()
    for family in families:
        if family.name.startswith("lpad_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = tuple(sorted({*family.samples[0].labels} - {"le"}))
            told.add((name, family.type, labels))
    assert told == {(name, type_, tuple(sorted(labels))) for name, type_, labels in documented}


def test_the_library_is_loaded_with_the_first_scrape() -> None:
    """The Prometheus library is loaded with the first scrape, so most gateways never load it."""
    looks = "import sys, lpad.daemon.daemon; sys.exit('prometheus_client' in sys.modules)"
    subprocess.run([sys.executable, "-c", looks], check=True)


def code_of(gateway: Gateway) -> str:
    return gateway.lab.code(gateway.lab.order())


def test_guarded_switches_are_counted(gateway: Gateway) -> None:
    """A rollback is counted by its outcome; failover of a card without health rules is shown as `off`."""
    assert (
        gateway.http.post(
            f"/v1/euiccs/{CARD}/downloads?wait=120", json={"activation_code": code_of(gateway)}
        ).json()["state"]
        == "done"
    )
    guard = {"until": ["tcp:127.0.0.1:1"], "within": 1}
    gateway.http.post(f"/v1/euiccs/{CARD}/profiles/{FIRST}/enable?wait=120", json={"guard": guard})
    gauges = scraped(gateway)
    assert gauges[sample("lpad_guarded_switches_total", outcome="back")] == 1
    assert gauges[sample("lpad_guarded_switches_total", outcome="kept")] == 0
    assert gauges[sample("lpad_failover_standing", euicc=CARD, standing="off")] == 1


def test_a_rescue_is_reported(gateway: Gateway, tmp_path: Path, pki: Pki) -> None:
    """A metric shows whether a rescue is in progress for a card."""
    assert scraped(gateway)[sample("lpad_rescue", euicc=CARD)] == 0
    with guarding(tmp_path / "stuck", pki) as lab, Gateway(lab) as other:
        stuck(lab)
        assert scraped(other)[sample("lpad_rescue", euicc=CARD)] == 1


def test_an_empty_card_is_reported(tmp_path: Path, pki: Pki) -> None:
    """A metric shows how often the default SM-DP+ of an empty card was asked without success."""
    with Lab(tmp_path, pki) as lab:
        lab.start(
            replace(
                lab.port, provisioning=FROM_DEFAULT_SMDP, default_smdp=ServerAddress.parse(lab.server.address)
            )
        )
        with Gateway(lab) as gateway:
            lab.until(lab.engine.changes, lambda found: bool(found and found[0].state.ended))
            assert scraped(gateway)[sample("lpad_provisioning_attempts", euicc=CARD)] == 1


def test_events_of_an_sm_ds_are_reported(tmp_path: Path, pki: Pki) -> None:
    """A metric shows how many events lpad knows for a card, by their state."""
    with DiscoveryLab(tmp_path, pki) as lab:
        lab.event()
        lab.start(lab.policy())
        with Gateway(lab) as gateway:
            listed = sample("lpad_discovered_events", euicc=CARD, state="listed")
            installed = sample("lpad_discovered_events", euicc=CARD, state="installed")
            assert [scraped(gateway)[each] for each in (listed, installed)] == [0, 0]
            assert lab.discover().error is None
            assert [scraped(gateway)[each] for each in (listed, installed)] == [1, 0]
            assert lab.discover(install=True).error is None
            lab.until_true(lambda: scraped(gateway)[installed] == 1)
            assert scraped(gateway)[listed] == 0


def test_each_figure_moves(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every documented metric except lpad_build_info changes in the course of this test."""
    rules = tuple(
        HealthRule(iccid=iccid, conditions=(Condition.parse("registered"),), interval=0.2, lasting=600)
        for iccid in (FIRST, SECOND)
    )
    seen: list[dict[str, float]] = []
    with Lab(tmp_path, pki) as lab:
        card = replace(
            port(lab),
            observe=partial(lab.counters.apdu, CARD),
            provisioning=FROM_DEFAULT_SMDP,
            default_smdp=ServerAddress.parse(lab.server.address),
            failover=FailoverPolicy(rules=rules, within=60, cooldown=3600),
        )
        lab.start(card)
        with Gateway(lab) as gateway:
            seen.append(scraped(gateway))
            lab.until(lab.engine.changes, lambda found: bool(found and found[0].state.ended))
            seen.append(scraped(gateway))
            lab.install()
            lab.install(iccid=SECOND, name="Second")
            assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
            rolled_back(ended(lab, "tcp:127.0.0.1:1", within=1))
            lab.until(
                lambda: lab.engine.card(CARD).failover(),
                lambda found: found is not None and found.profile == FIRST,
            )
            seen.append(scraped(gateway))
            with Receiver() as receiver:
                seen += _endpoint_that_fails(gateway, receiver, monkeypatch)
            seen += _listener_that_comes_and_goes(gateway)
            _refuse_one_notification(lab)
            _have_an_event_listed(lab)
            seen.append(scraped(gateway))
            lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.DROP_BEFORE, times=1000))
            lab.carry_out(Kind.DISABLE, iccid=FIRST)
            lab.server.faults.add(Fault(function=AUTHENTICATE, kind=FaultKind.DROP_BEFORE, times=1000))
            secrets = {"activation_code": code_of(gateway)}
            patient = lab.submit(Kind.DOWNLOAD, secrets=secrets, retry_for=600)
            lab.until(lambda: lab.engine.change(patient.id), lambda change: change.pause is not None)
            with no_space(tmp_path / "journal.db-wal"):
                path = f"/v1/euiccs/{CARD}/profiles/{FIRST}/enable"
                while gateway.http.post(path).status_code == 202:  # until the journal's last block is full
                    pass
                seen.append(scraped(gateway))
            lab.until_true(lambda: lab.engine.journal.ok)
            lab.engine.cancel(patient.id)
            assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
            stuck(lab)
            seen.append(scraped(gateway))
            lab.modem.vanish()
            lab.carry_out(Kind.REFRESH)
            assert lab.engine.snapshot(CARD).state is CardState.ABSENT
            seen.append(scraped(gateway))
    moved = {
        key for key in {key for each in seen for key in each} if len({each.get(key) for each in seen}) > 1
    }
    documented = re.findall(r"^\| `(lpad_\w+)` ", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    still = [name for name in documented if not any(key.startswith(name) for key in moved)]
    assert still == ["lpad_build_info"]


def _have_events_dropped(lab: Lab) -> None:
    """Record more events than the outbox keeps while the endpoint is paused, so that some are dropped."""
    lab.engine.webhooks.pause("backend")
    lab.engine.events.most = 2
    data = ProfileData(euicc=CARD, iccid=FIRST, change=1)
    lab.engine.events.record([Happening(type=PROFILE_ENABLED, data=data) for _ in range(6)])
    lab.engine.events.most = KEPT


def _endpoint_that_fails(
    gateway: Gateway, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, float]]:
    """Have an endpoint's events dropped, failed, given up and accepted; return the metrics of each step."""
    webhooks = gateway.lab.engine.webhooks
    webhooks.become([endpoint(receiver)])
    figures = [scraped(gateway)]
    _have_events_dropped(gateway.lab)
    figures.append(scraped(gateway))
    for _ in range(2):
        receiver.answers.put(Answer(500))
    webhooks.resume("backend")
    gateway.lab.until_true(lambda: webhooks.get("backend").progress.attempts == 1)
    figures.append(scraped(gateway))
    with monkeypatch.context() as patched:
        patched.setattr(endpoint_worker, "PATIENCE", 0.0)
        webhooks.resume("backend")
        gateway.lab.until_true(lambda: webhooks.get("backend").progress.given_up == 1)
    gateway.lab.until_true(lambda: webhooks.get("backend").pending == 0)
    figures.append(scraped(gateway))
    webhooks.become([])
    return figures


def _listener_that_comes_and_goes(gateway: Gateway) -> list[dict[str, float]]:
    """Have a named listener connect, acknowledge all events, and leave; return the metrics of each step."""
    listeners = gateway.lab.engine.listeners
    listeners.connect("bridge", READER, after=0)
    figures = []
    with listeners.listening("bridge"):
        figures.append(scraped(gateway))
        listeners.acknowledge("bridge", READER, position=gateway.lab.engine.events.last())
        figures.append(scraped(gateway))
    figures.append(scraped(gateway))
    return figures


def _have_an_event_listed(lab: Lab) -> None:
    """Have an SM-DS list an event for the card."""
    with make_smds(lab.folder / "smds", pki=lab.pki) as smds:
        events_of(smds.folder).register(eid=lab.card.eid.digits, address=lab.server.address)
        assert lab.carry_out(Kind.DISCOVER, servers=[smds.address]).error is None


def _refuse_one_notification(lab: Lab) -> None:
    """Have the server refuse one notification permanently, so that lpad sets it aside."""
    lab.server.faults.add(Fault(function=NOTIFY, kind=FaultKind.REFUSE, value="8.10/2.1", times=1000))
    lab.carry_out(Kind.DISABLE, iccid=FIRST)
    lab.until_true(lambda: any(each.attempts for each in lab.engine.card(CARD).notifications()))
    while not any(lab.engine.gauges.set_aside().values()):
        lab.carry_out(Kind.DELIVER_NOTIFICATIONS)
    lab.server.faults.clear()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
