import random
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dragoman.telemetry.counts import MAX_LABEL_SETS, Gauge, Histogram
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.metrics import REQUEST_SECONDS, Metrics
from dragoman.telemetry.records import RequestRecord

CANARY = "canary-7f3a-secret-value"


def record(target="giga/GigaChat-2", status=200, **fields):
    return RequestRecord(
        time=0, request_id="r", method="POST", path="/", target=target, status=status, **fields
    )


def samples(metrics):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def counted(*records, **options):
    metrics = Metrics(**options)
    for each in records:
        metrics.ended(each)
    return metrics


def test_a_finished_request_is_counted_by_provider_model_and_status():
    found = samples(counted(record(), record(), record(status=429), record("or/meta/llama")))
    giga = ("model", "GigaChat-2"), ("provider", "giga")
    assert found["dragoman_requests_total", *giga, ("status", "200")] == 2
    assert found["dragoman_requests_total", *giga, ("status", "429")] == 1
    other = ("model", "meta/llama"), ("provider", "or"), ("status", "200")
    assert found["dragoman_requests_total", *other] == 1


def test_a_request_that_came_to_no_target_is_counted_without_one():
    found = samples(counted(record("", 404)))
    labels = ("model", ""), ("provider", ""), ("status", "404")
    assert found["dragoman_requests_total", *labels] == 1


def test_tokens_are_counted_apart_by_kind():
    found = samples(counted(record(tokens_in=100, tokens_out=7, tokens_cached=60), record()))
    giga = ("model", "GigaChat-2"), ("provider", "giga")
    for kind, tokens in (("input", 40), ("cached", 60), ("output", 7)):
        assert found["dragoman_tokens_total", ("kind", kind), *giga] == tokens


def test_errors_attempts_and_clients_that_left_are_counted():
    found = samples(
        counted(
            record(error="timeout", attempts=3),
            record(error="timeout", attempts=1, client_left=True),
            records_dropped=lambda: 5,
        )
    )
    assert found["dragoman_errors_total", ("kind", "timeout")] == 2
    assert found["dragoman_upstream_attempts_total",] == 4
    assert found["dragoman_client_disconnects_total",] == 1
    assert found["dragoman_log_records_dropped_total",] == 5


def test_durations_fall_into_cumulative_buckets():
    found = samples(
        counted(
            record(duration=0.05, first_byte=0.02),
            record(duration=0.051),
            record(duration=5000.0),
        )
    )
    giga = ("provider", "giga")
    bucket = "dragoman_request_seconds_bucket"
    assert found[bucket, ("le", "0.025"), giga] == 0
    assert found[bucket, ("le", "0.05"), giga] == 1
    assert found[bucket, ("le", "0.1"), giga] == 2
    assert found[bucket, ("le", "640.0"), giga] == 2
    assert found[bucket, ("le", "+Inf"), giga] == 3
    assert found["dragoman_request_seconds_count", giga] == 3
    assert found["dragoman_request_seconds_sum", giga] == pytest.approx(5000.101)
    assert found["dragoman_first_byte_seconds_count", giga] == 1


def test_a_histogram_puts_each_value_into_the_first_bucket_that_holds_it():
    histogram = Histogram(REQUEST_SECONDS)
    rng = random.Random(3)
    values = [rng.choice([*REQUEST_SECONDS, rng.uniform(0, 1000)]) for _ in range(500)]
    for value in values:
        histogram.observe(value)
    for index, bound in enumerate(REQUEST_SECONDS):
        assert sum(histogram.counts[: index + 1]) == sum(value <= bound for value in values)
    assert sum(histogram.counts) == 500


def test_label_sets_have_a_bound_and_nothing_beyond_it_is_lost():
    found = samples(
        counted(*(record(f"p/m{n}", error=f"e{n}", tokens_in=1) for n in range(MAX_LABEL_SETS * 2)))
    )
    for family, *other in (
        ("dragoman_requests_total", ("model", "other"), ("provider", "other"), ("status", "200")),
        ("dragoman_errors_total", ("kind", "other")),
    ):
        assert sum(key[0] == family for key in found) == MAX_LABEL_SETS + 1
        assert found[family, *other] == MAX_LABEL_SETS
    tokens = [value for key, value in found.items() if key[0] == "dragoman_tokens_total"]
    assert sum(tokens) == MAX_LABEL_SETS * 2


def test_statuses_count_as_label_sets_too():
    metrics = counted(*(record(f"p/m{n // 600}", 100 + n % 600) for n in range(1800)))
    sets = [len(counts.requests) for counts in metrics.targets.values()]
    assert sum(sets) <= MAX_LABEL_SETS + 600
    requests = [sum(counts.requests.values()) for counts in metrics.targets.values()]
    assert sum(requests) == 1800


def test_providers_have_a_bound_as_well():
    metrics = counted(*(record(f"p{n}/m") for n in range(MAX_LABEL_SETS + 20)))
    assert len(metrics.request_seconds) == MAX_LABEL_SETS + 1
    assert sum(metrics.request_seconds["other"].counts) == 20


def test_gauges_are_asked_for_at_each_scrape():
    waiting = [3]

    def gauges():
        yield Gauge("dragoman_queue_length", "Tickets.", {"provider": "giga"}, waiting[0])
        yield Gauge("dragoman_queue_length", "Tickets.", {"provider": "vertex"}, 1)
        yield Gauge("dragoman_connections", "Connections.", {}, 2)

    metrics = Metrics(gauges)
    assert samples(metrics)["dragoman_queue_length", ("provider", "giga")] == 3
    waiting[0] = 4
    found = samples(metrics)
    assert found["dragoman_queue_length", ("provider", "giga")] == 4
    assert found["dragoman_queue_length", ("provider", "vertex")] == 1
    assert found["dragoman_connections",] == 2
    assert metrics.render().count(b"# TYPE dragoman_queue_length gauge") == 1


def test_a_registered_secret_never_comes_out():
    metrics = counted(
        record(f"giga/{CANARY}", error=CANARY, tokens_in=1),
        record(f"{CANARY}/model"),
        gauges=lambda: [Gauge("dragoman_keys", "Keys.", {"key": CANARY}, 1)],
        masker=Masker([CANARY]),
    )
    text = metrics.render().decode()
    assert CANARY not in text
    assert text.count("***") > 3


def test_the_metrics_library_is_imported_only_when_somebody_scrapes():
    program = (
        "import sys; from dragoman.telemetry.metrics import Metrics; m = Metrics();"
        "assert 'prometheus_client' not in sys.modules; m.render();"
        "assert 'prometheus_client' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
