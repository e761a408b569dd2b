"""Metrics for Prometheus, with the engine's present values. The only module that imports prometheus_client.

This module stores nothing, and loads the library with the first scrape, so it costs nothing without
Prometheus.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

import lpad
from lpad.base.errors import JournalUnavailable
from lpad.engine.change.guard import Phase
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.unattended.failover import Standing
from lpad.engine.webhooks.endpoint_progress import Standing as Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import HistogramMetricFamily, Metric

    from lpad.api.request.api_call import Call
    from lpad.engine.engine import Engine
    from lpad.engine.running.metric_counters import Durations

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, which all scrapers read."""


async def get_metrics(call: Call) -> Response:
    """Show lpad's metrics in Prometheus' text format."""
    return Response(await asyncio.to_thread(_text, call.engine), media_type=MEDIA_TYPE)


def _text(engine: Engine) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415 - loaded with the first scrape

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(engine))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collector:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._cards()
        yield from self._changes()
        yield from self._switches()
        yield from self._outbox()
        yield from self._events()
        yield from self._durations()

    def _cards(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        yield InfoMetricFamily("lpad_build", "The daemon's version.", {"version": lpad.__version__})
        states = GaugeMetricFamily(
            "lpad_card_state", "1 for the state that the card is in.", labels=["euicc", "state"]
        )
        profiles = GaugeMetricFamily(
            "lpad_profiles", "Profiles on the card at the last reading.", labels=["euicc", "state"]
        )
        memory = GaugeMetricFamily(
            "lpad_card_free_memory_bytes", "Free memory of the card.", labels=["euicc", "memory"]
        )
        for card in self._engine.snapshots():
            for state in CardState:
                states.add_metric([card.name, state], card.state is state)
            for wanted in ("enabled", "disabled"):
                count = sum(profile.state == wanted for profile in card.profiles)
                profiles.add_metric([card.name, wanted], count)
            profiles.add_metric([card.name, "unreadable"], len(card.unreadable))
            free = card.info.memory if card.info is not None else None
            if free is not None and free.free_non_volatile is not None:
                memory.add_metric([card.name, "non-volatile"], free.free_non_volatile)
            if free is not None and free.free_volatile is not None:
                memory.add_metric([card.name, "volatile"], free.free_volatile)
        yield from (states, profiles, memory)

    def _changes(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        ended = CounterMetricFamily(
            "lpad_changes", "Changes that ended since the daemon started.", labels=["kind", "outcome"]
        )
        for (kind, outcome), count in sorted(self._engine.counters.changes().items()):
            ended.add_metric([kind, outcome], count)
        queued = GaugeMetricFamily(
            "lpad_changes_unfinished", "Changes that are queued, running or waiting.", labels=["euicc"]
        )
        for name, count in self._engine.gauges.unfinished().items():
            queued.add_metric([name], count)
        paused = GaugeMetricFamily(
            "lpad_changes_paused",
            "Changes that wait for another attempt, by the reason for the wait.",
            labels=["euicc", "reason"],
        )
        for (name, reason), count in self._engine.gauges.paused().items():
            paused.add_metric([name, reason], count)
        yield from (ended, queued, paused)

    def _switches(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        guards = CounterMetricFamily(
            "lpad_guarded_switches",
            "Guarded switches that ended since the daemon started.",
            labels=["outcome"],
        )
        ended = self._engine.counters.guards()
        for outcome in (Phase.KEPT, Phase.BACK, Phase.STUCK):
            guards.add_metric([outcome], ended.get(outcome, 0))
        standings = GaugeMetricFamily(
            "lpad_failover_standing",
            "1 for the present state of the card's failover.",
            labels=["euicc", "standing"],
        )
        rescues = GaugeMetricFamily(
            "lpad_rescue",
            "1 while lpad tries to recover from a guarded switch that failed with switch-stuck.",
            labels=["euicc"],
        )
        provisioning = GaugeMetricFamily(
            "lpad_provisioning_attempts",
            "lpad's own requests for a first profile, to all sources together.",
            labels=["euicc"],
        )
        for name in (snapshot.name for snapshot in self._engine.snapshots()):
            card = self._engine.card(name)
            attempts = card.provisioning()
            provisioning.add_metric([name], attempts.attempts if attempts is not None else 0)
            status = card.failover()
            present = status.standing if status is not None else "off"
            for standing in (*Standing, "off"):
                standings.add_metric([name, standing], standing == present)
            rescues.add_metric([name], card.rescue() is not None)
        discovered = GaugeMetricFamily(
            "lpad_discovered_events",
            "Known events of SM-DSs for the card, by state.",
            labels=["euicc", "state"],
        )
        for (name, state), count in self._engine.gauges.discovered().items():
            discovered.add_metric([name, state], count)
        yield from (guards, standings, rescues, provisioning, discovered)

    def _outbox(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        depth = GaugeMetricFamily(
            "lpad_outbox_notifications", "Notifications that no server has accepted yet.", labels=["euicc"]
        )
        oldest = GaugeMetricFamily(
            "lpad_outbox_oldest_age_seconds",
            "Age of the oldest notification that no server has accepted; 0 if there is none.",
            labels=["euicc"],
        )
        present = self._engine.now()
        for name, stored in self._engine.gauges.unsent().items():
            ages = [present.since(each.stored_at) for each in stored]
            depth.add_metric([name], len(stored))
            oldest.add_metric([name], max(0.0, *ages) if ages else 0.0)
        refused = GaugeMetricFamily(
            "lpad_outbox_refused", "Notifications that were refused and set aside.", labels=["euicc"]
        )
        for name, stored in self._engine.gauges.set_aside().items():
            refused.add_metric([name], len(stored))
        journal = GaugeMetricFamily("lpad_journal_writable", "Whether the journal can be written.")
        journal.add_metric([], self._engine.journal.ok)
        yield from (depth, oldest, refused, journal)

    def _events(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        states = GaugeMetricFamily(
            "lpad_webhook_state", "1 for the present state of an endpoint.", labels=["webhook", "state"]
        )
        pending = GaugeMetricFamily(
            "lpad_webhook_pending_events", "Events that wait for an endpoint.", labels=["webhook"]
        )
        attempts = GaugeMetricFamily(
            "lpad_webhook_attempts", "Failed attempts to deliver the current event.", labels=["webhook"]
        )
        delivered = CounterMetricFamily(
            "lpad_webhook_delivered", "Events that an endpoint has accepted.", labels=["webhook"]
        )
        set_aside = CounterMetricFamily(
            "lpad_webhook_set_aside", "Events that an endpoint did not accept in time.", labels=["webhook"]
        )
        for found in self._engine.webhooks.all():
            name, progress = found.endpoint.name, found.progress
            for state in Stage:
                states.add_metric([name, state.value], progress.standing is state)
            if found.pending is not None:
                pending.add_metric([name], found.pending)
            attempts.add_metric([name], progress.attempts)
            delivered.add_metric([name], progress.delivered)
            set_aside.add_metric([name], progress.given_up)
        connected = GaugeMetricFamily(
            "lpad_listener_connected", "1 while a named listener listens to events.", labels=["listener"]
        )
        unread = GaugeMetricFamily(
            "lpad_listener_pending_events",
            "Events that a listener has not acknowledged.",
            labels=["listener"],
        )
        for listener in self._engine.listeners.all():
            connected.add_metric([listener.name], listener.connected)
            if listener.pending is not None:
                unread.add_metric([listener.name], listener.pending)
        dropped = CounterMetricFamily(
            "lpad_events_dropped",
            "Events that were dropped although an endpoint or a listener waited for them.",
            labels=["type"],
        )
        with suppress(JournalUnavailable):
            for type_, count in sorted(self._engine.events.dropped().items()):
                dropped.add_metric([type_], count)
        yield from (states, pending, attempts, delivered, set_aside, connected, unread, dropped)

    def _durations(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - loaded with the first scrape

        apdus = HistogramMetricFamily(
            "lpad_apdu_duration_seconds", "Time from a command to the card's answer.", labels=["euicc"]
        )
        _add(apdus, self._engine.counters.apdus())
        servers = HistogramMetricFamily(
            "lpad_es9plus_duration_seconds",
            "Time from a request to the server's answer.",
            labels=["function"],
        )
        _add(servers, self._engine.counters.servers())
        yield from (apdus, servers)


def _add(family: HistogramMetricFamily, durations: Mapping[str, Durations]) -> None:
    for label, each in sorted(durations.items()):
        buckets = [("+Inf" if end == float("inf") else str(end), count) for end, count in each.cumulative]
        family.add_metric([label], buckets=buckets, sum_value=each.total)
