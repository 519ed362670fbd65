"""How long one request with a 5 MB body holds up small ones: extra latency of 1 KB requests."""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import threading
import time


def body(size: int, model: str) -> bytes:
    text = "the quick brown fox " * (size // 20)
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def ask(port: int, sent: bytes, times: list[float] | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"content-type": "application/json", "authorization": "Bearer sk-bench"}
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", sent, headers)
    connection.getresponse().read()
    if times is not None:
        times.append(time.perf_counter() - begun)
    connection.close()


def series(port: int, model: str, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.monotonic() + seconds
    small = body(1024, model)
    while time.monotonic() < until:
        ask(port, small, times)
        time.sleep(0.002)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8200)
    parser.add_argument("--model", default="bench")
    parser.add_argument("--seconds", type=float, default=5)
    given = parser.parse_args()
    alone = series(given.port, given.model, given.seconds)
    large = body(5 * 1024 * 1024, given.model)
    stop = threading.Event()

    def heavy() -> None:
        while not stop.is_set():
            ask(given.port, large)
            time.sleep(0.2)

    thread = threading.Thread(target=heavy)
    thread.start()
    beside = series(given.port, given.model, given.seconds)
    stop.set()
    thread.join()
    for name, pick in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):

        def at(times: list[float], pick: float = pick) -> float:
            return sorted(times)[min(len(times) - 1, int(len(times) * pick))] * 1000

        print(f"{name}: {at(alone):.2f} ms alone, {at(beside):.2f} ms beside 5 MB bodies")
    print(
        f"mean delay {1000 * (statistics.mean(beside) - statistics.mean(alone)):.2f} ms (target: 5)"
    )


if __name__ == "__main__":
    main()
