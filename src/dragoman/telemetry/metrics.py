"""Counts of what happens, as plain integers in plain dicts.

Counting a request takes a few microseconds, no lock and no metrics library; the library is
imported and the counts are spelled out when somebody first asks for them (``render``, see
``exposition``). Models are named as targets name them, never as clients do, and a family has a
bounded number of label sets (see ``counts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from dragoman.telemetry.counts import MAX_LABEL_SETS, OTHER, Counts, Gauge, Histogram, TargetCounts
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.records import RequestRecord

# fmt: off
REQUEST_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
    640.0,
)
FIRST_BYTE_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0,
)
# fmt: on


def _no_gauges() -> Iterable[Gauge]:
    return ()


def _none_dropped() -> int:
    return 0


class Metrics:
    """All counters of one process. ``gauges`` tells what pools, transport and queues hold."""

    def __init__(
        self,
        gauges: Callable[[], Iterable[Gauge]] = _no_gauges,
        *,
        records_dropped: Callable[[], int] = _none_dropped,
        masker: Masker | None = None,
    ) -> None:
        self.gauges: Final = gauges
        self.records_dropped: Final = records_dropped
        """How many request records the log has left out."""
        self.masker: Final = masker or Masker()
        self.targets: dict[str, TargetCounts] = {}
        """By ``provider/model``; ``""`` where a request came to none, ``OTHER`` past the bound."""
        self.errors = Counts()
        """By ``GatewayError.kind``."""
        self.request_seconds: dict[str, Histogram] = {}
        """By provider."""
        self.first_byte_seconds: dict[str, Histogram] = {}
        """By provider."""
        self.upstream_attempts = 0
        self.client_disconnects = 0
        self._label_sets = 0
        self._render: Callable[[], bytes] | None = None

    def ended(self, record: RequestRecord) -> None:
        """A request is over."""
        self.upstream_attempts += record.attempts
        counts = self.targets.get(record.target) or self._first_of(record.target)
        status = record.status
        if status in counts.requests:
            counts.requests[status] += 1
        else:
            self._first_with(status, counts)
        counts.request_seconds.observe(record.duration)
        if record.first_byte is not None:
            counts.first_byte_seconds.observe(record.first_byte)
        if record.tokens_in:
            cached = record.tokens_cached
            counts.tokens_input += max(0, record.tokens_in - cached)
            counts.tokens_cached += cached
        counts.tokens_output += record.tokens_out
        if record.error is not None:
            self.errors.add(record.error)
        if record.client_left:
            self.client_disconnects += 1

    def render(self) -> bytes:
        """Everything in Prometheus' text format; call it on the loop's thread."""
        if self._render is None:
            # prometheus_client takes a tenth of a second to import, and many never scrape.
            from dragoman.telemetry.exposition import renderer  # noqa: PLC0415

            self._render = renderer(self)
        return self._render()

    def _first_of(self, target: str) -> TargetCounts:
        """The counts of a target that has none yet."""
        if len(self.targets) >= MAX_LABEL_SETS:
            target = OTHER
            if target in self.targets:
                return self.targets[target]
        provider = target.partition("/")[0]
        if provider not in self.request_seconds:
            self.request_seconds[provider] = Histogram(REQUEST_SECONDS)
            self.first_byte_seconds[provider] = Histogram(FIRST_BYTE_SECONDS)
        counts = self.targets[target] = TargetCounts(
            self.request_seconds[provider], self.first_byte_seconds[provider]
        )
        return counts

    def _first_with(self, status: int, counts: TargetCounts) -> None:
        """Count a request whose target has not had this status before."""
        if self._label_sets >= MAX_LABEL_SETS:
            counts = self.targets.get(OTHER) or self._first_of(OTHER)
        self._label_sets += 1
        counts.requests[status] = counts.requests.get(status, 0) + 1
