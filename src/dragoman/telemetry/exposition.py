"""The counts of ``metrics`` in Prometheus' text format, through its own client library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from dragoman.telemetry.counts import Counts, Gauge, Histogram, TargetCounts
from dragoman.telemetry.masking import Masker


class Counted(Protocol):
    """What is read of ``metrics.Metrics``."""

    targets: dict[str, TargetCounts]
    errors: Counts
    request_seconds: dict[str, Histogram]
    first_byte_seconds: dict[str, Histogram]
    upstream_attempts: int
    client_disconnects: int

    @property
    def gauges(self) -> Callable[[], Iterable[Gauge]]: ...
    @property
    def records_dropped(self) -> Callable[[], int]: ...
    @property
    def masker(self) -> Masker: ...


def renderer(metrics: Counted) -> Callable[[], bytes]:
    """A function that spells out ``metrics`` as they are when it is called."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


class _Collector(Collector):
    def __init__(self, metrics: Counted) -> None:
        self._metrics = metrics
        self._mask = metrics.masker.mask

    def collect(self) -> Iterator[Metric]:
        """All families."""
        metrics = self._metrics
        yield from self._by_target(metrics.targets)
        errors = CounterMetricFamily("dragoman_errors", "Failed requests.", labels=["kind"])
        for kind, count in metrics.errors.values.items():
            errors.add_metric([self._mask(kind)], count)
        yield errors
        yield self._histogram(
            "dragoman_request_seconds", "Duration of requests.", metrics.request_seconds
        )
        yield self._histogram(
            "dragoman_first_byte_seconds",
            "Time to the first byte of the answer.",
            metrics.first_byte_seconds,
        )
        yield CounterMetricFamily(
            "dragoman_upstream_attempts", "Calls to providers.", metrics.upstream_attempts
        )
        yield CounterMetricFamily(
            "dragoman_client_disconnects",
            "Clients that left before their answer was complete.",
            metrics.client_disconnects,
        )
        yield CounterMetricFamily(
            "dragoman_log_records_dropped",
            "Request records that did not reach the log.",
            metrics.records_dropped(),
        )
        yield from self._told_gauges()

    def _by_target(self, targets: Mapping[str, TargetCounts]) -> Iterable[Metric]:
        labels = ["provider", "model"]
        requests = CounterMetricFamily(
            "dragoman_requests", "Finished requests.", labels=[*labels, "status"]
        )
        tokens = CounterMetricFamily(
            "dragoman_tokens",
            "Tokens; input without those read from a cache.",
            labels=[*labels, "kind"],
        )
        for target, counts in targets.items():
            names = self._split(target)
            for status, count in counts.requests.items():
                requests.add_metric([*names, str(status)], count)
            for kind, count in (
                ("input", counts.tokens_input),
                ("cached", counts.tokens_cached),
                ("output", counts.tokens_output),
            ):
                if count:
                    tokens.add_metric([*names, kind], count)
        return requests, tokens

    def _histogram(
        self, name: str, documentation: str, histograms: Mapping[str, Histogram]
    ) -> Metric:
        family = HistogramMetricFamily(name, documentation, labels=["provider"])
        for provider, histogram in histograms.items():
            bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            family.add_metric([self._mask(provider)], buckets, histogram.total)
        return family

    def _told_gauges(self) -> Iterable[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for gauge in self._metrics.gauges():
            family = families.get(gauge.name)
            if family is None:
                family = families[gauge.name] = GaugeMetricFamily(gauge.name, gauge.help)
            labels = {name: self._mask(value) for name, value in gauge.labels.items()}
            family.add_sample(gauge.name, labels, gauge.value)
        return families.values()

    def _split(self, target: str) -> tuple[str, str]:
        provider, slash, model = self._mask(target).partition("/")
        return provider, model if slash else provider
