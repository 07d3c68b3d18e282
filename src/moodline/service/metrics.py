"""Figures of the service in Prometheus' format. No figure holds content of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters and histograms of one service, and gauges that are read when somebody asks.

    Args:
        gauges: gives (name, help, label or "", {label value: number}) for what is measured now.
    """

    def __init__(self, gauges: Callable[[], Iterable[tuple[str, str, str, dict[str, float]]]]) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._gauges = gauges
        self.registry.register(self)
        self.requests = Counter(
            "moodline_requests", "Requests by route, method and status.", ("route", "method", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "moodline_request_seconds", "From the request's head to the end of the answer.", ("route",),
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.batches = Histogram(
            "moodline_batch_conversations", "Conversations that were computed together.",
            buckets=SIZES, registry=self.registry,
        )  # fmt: skip
        self.turns = Counter("moodline_turns", "Turns that were answered.", registry=self.registry)
        self.sound = Counter("moodline_sound_seconds", "Seconds of recordings that were read.", registry=self.registry)
        self.ended = Counter("moodline_jobs_ended", "Jobs that ended, by state.", ("state",), registry=self.registry)

    def collect(self) -> Iterable[Metric]:
        """The gauges; the registry asks for them."""
        for name, text, label, values in self._gauges():
            family = GaugeMetricFamily(name, text, labels=[label] if label else None)
            for key, value in values.items():
                family.add_metric([key] if label else [], value)
            yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: gauges are known when they are read."""
        return ()

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self.registry)
