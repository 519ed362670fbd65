"""How long one request with a 5 MB body holds up small ones: extra latency of 1 KB requests."""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PORT = 8298
MODEL = "m"
SECONDS = 5.0


def body(size: int) -> bytes:
    text = "the quick brown fox " * (size // 20)
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}]}).encode()


def ask(sent: bytes) -> float:
    """Seconds that one request took."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", sent, {"content-type": "application/json"})
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - begun


def series(seconds: float) -> list[float]:
    times = []
    until = time.monotonic() + seconds
    small = body(1024)
    while time.monotonic() < until:
        times.append(ask(small))
        time.sleep(0.002)
    return times


ANSWER = json.dumps(
    {
        "id": "a",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ok"},
                "finish_reason": "stop",
            }
        ],
    }
).encode()
SETTINGS = f"""
[providers.up]
kind = "openai_compatible"
base_url = "http://127.0.0.1:{PORT + 1}/v1"
models = ["{MODEL}"]
"""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that swallows a body and says ok."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(size[1]) if size else 0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))


def upstream() -> None:
    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", PORT + 1, limit=1 << 24)
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def gateway(folder: Path) -> Iterator[None]:
    """The gateway and an upstream, each a process of its own."""
    file = folder / "dragoman.toml"
    file.write_text(SETTINGS)
    command = [str(Path(sys.executable).with_name("dragoman")), "serve"]
    command += ["--config", str(file), "--port", str(PORT)]
    behind = multiprocessing.get_context("spawn").Process(target=upstream, daemon=True)
    behind.start()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    ask(body(10))
                except OSError:
                    time.sleep(0.05)
                else:
                    break
            yield
        finally:
            process.terminate()
            behind.terminate()


def heavy() -> None:
    large = body(5 * 1024 * 1024)
    while True:
        ask(large)
        time.sleep(0.2)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder)):
        alone = series(SECONDS)
        beside_us = multiprocessing.get_context("spawn").Process(target=heavy, daemon=True)
        beside_us.start()
        time.sleep(1)
        beside = series(SECONDS)
        beside_us.terminate()
    for name, part in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):
        both = [sorted(times)[int((len(times) - 1) * part)] * 1000 for times in (alone, beside)]
        print(f"{name}: {both[0]:.2f} ms alone, {both[1]:.2f} ms beside bodies of 5 MB")
    delay = statistics.mean(beside) - statistics.mean(alone)
    print(f"mean delay of a 1 KB request: {delay * 1000:.2f} ms (target: at most 5)")


if __name__ == "__main__":
    main()
