"""Microseconds an event and a request, without any socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import AnswerFacts, ModelFacts
from dragoman.relay import Passed, Translated

FACTS = AnswerFacts(id="bench", created=1, model="bench")
EVENTS = 64


def sse(document: dict) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def body(*, stream: bool, size: int = 0) -> bytes:
    messages = [{"role": "system", "content": "You are a helpful assistant."}]
    messages += [
        {"role": "user" if n % 2 == 0 else "assistant", "content": "слово word " * 350}
        for n in range(size // 4096)
    ]
    messages += [{"role": "user", "content": "Write a short story about a fox."}]
    document = {"model": "bench", "messages": messages, "temperature": 0.7, "stream": stream}
    return json.dumps(document, ensure_ascii=False).encode()


def measured(work: Callable[[], object], units: int = 1, rounds: int = 60) -> float:
    """Microseconds a unit, the least of many short rounds: what others do on the machine only
    ever adds."""
    work()
    once = time.perf_counter()
    work()
    repeats = max(1, int(0.005 / max(1e-9, time.perf_counter() - once)))
    figures = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(repeats):
            work()
        figures.append((time.perf_counter() - begun) / repeats / units * 1e6)
    return min(figures)


def streams(per_read: int) -> dict[str, float]:
    request = openai_chat.CLIENT.read_request(body(stream=True))
    written = gigachat.UPSTREAM.write_request(request.conversation(), ModelFacts())
    openai_event = sse(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": "x" * 36}, "finish_reason": None}],
        }
    )
    giga_event = sse(
        {
            "choices": [{"delta": {"content": "x" * 36}, "index": 0}],
            "created": 1,
            "model": "GigaChat",
            "object": "chat.completion",
        }
    )

    def passed() -> None:
        relay = Passed(openai_chat.CLIENT, request)
        for _ in range(EVENTS // per_read):
            relay.feed(openai_event * per_read)

    def translated() -> None:
        relay = Translated(gigachat.UPSTREAM, written, openai_chat.CLIENT, request, FACTS)
        for _ in range(EVENTS // per_read):
            relay.feed(giga_event * per_read)

    return {
        "chat passed": measured(passed, EVENTS),
        "GigaChat to chat": measured(translated, EVENTS),
    }


def requests() -> dict[str, float]:
    found = {}
    for name, size in (("0.3 KB", 0), ("280 KB", 280 * 1024)):
        sent = body(stream=False, size=size)
        found[f"{name} read and passed on"] = measured(
            lambda sent=sent: openai_chat.CLIENT.read_request(sent).forwarded("fake-model")
        )
        found[f"{name} read and written for GigaChat"] = measured(
            lambda sent=sent: gigachat.UPSTREAM.write_request(
                openai_chat.CLIENT.read_request(sent).conversation(), ModelFacts()
            )
        )
    return found


def main() -> None:
    print("| stream | 1 event a read, us | 8 | 64 |\n|---|---|---|---|")
    columns = [streams(per_read) for per_read in (1, 8, 64)]
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:.2f}" for column in columns) + " |")
    print("\n| request | us |\n|---|---|")
    for name, figure in requests().items():
        print(f"| {name} | {figure:.1f} |")


if __name__ == "__main__":
    main()
