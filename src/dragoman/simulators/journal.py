"""What the simulators saw: counters and the last requests, for tests and for people who look.

One ``Journal`` for all simulators of a server. Counters only grow until ``reset``; the list of
last requests is bounded in number and in size.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

LAST_REQUESTS: Final = 32
BODY_LIMIT: Final = 262_144
ASKERS: Final = 4096
"""Keys that are counted apart."""


class Call(msgspec.Struct, kw_only=True):
    """One request as it arrived."""

    simulator: str
    method: str
    path: str
    path_parameters: dict[str, str]
    headers: list[tuple[str, str]]
    """Names in lower case, in the order of arrival."""
    body: bytes
    certificate: str | None = None
    """Common name of the client certificate that was shown."""
    query: str = ""
    """What stands behind the path's question mark."""
    status: int | None = None
    """Of the answer, once it is known."""
    releases: list[Callable[[], None]] = []
    """Called when the answer is complete or given up."""

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)


class Journal:
    """Counters of everything that happened since the start or the last ``reset``."""

    def __init__(self) -> None:
        self.in_flight: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        """Forget everything but the requests in flight."""
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.most_in_flight: Counter[str] = Counter()
        self.token_fetches = 0
        self.asked_by: dict[str, Counter[str]] = {}
        self.disconnects = 0
        self.faults_done: Counter[str] = Counter()
        self.last_requests: deque[Call] = deque(maxlen=LAST_REQUESTS)

    def note_asker(self, key: str, what: str) -> None:
        """``key`` has asked for ``what`` (a model, or a path where there is none)."""
        if key not in self.asked_by and len(self.asked_by) >= ASKERS:
            key = "others"
        self.asked_by.setdefault(key, Counter())[what] += 1

    @contextlib.contextmanager
    def following(self, call: Call) -> Iterator[None]:
        """Count ``call`` as in flight for the length of the block, and keep it."""
        self.requests[f"{call.method} {call.path}"] += 1
        self.last_requests.append(call)
        self.in_flight[call.simulator] += 1
        self.most_in_flight[call.simulator] = max(
            self.most_in_flight[call.simulator], self.in_flight[call.simulator]
        )
        try:
            yield
        finally:
            self.in_flight[call.simulator] -= 1
            self.statuses[str(call.status)] += 1
            for release in call.releases:
                release()

    def view(self) -> dict[str, Any]:
        """The whole journal, ready to be written as JSON; bodies that are JSON as they came."""
        return {
            "requests": dict(self.requests),
            "statuses": dict(self.statuses),
            "warnings": dict(self.warnings),
            "in_flight": dict(self.in_flight),
            "most_in_flight": dict(self.most_in_flight),
            "token_fetches": self.token_fetches,
            "asked_by": {key: dict(counts) for key, counts in self.asked_by.items()},
            "disconnects": self.disconnects,
            "faults_done": dict(self.faults_done),
            "last_requests": [_view_call(call) for call in self.last_requests],
        }


def _view_call(call: Call) -> dict[str, Any]:
    body: Any = call.body[:BODY_LIMIT].decode(errors="replace")
    if len(call.body) <= BODY_LIMIT:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            call.body.decode()
            body = msgspec.json.decode(call.body, type=msgspec.Raw)
    return {
        "simulator": call.simulator,
        "method": call.method,
        "path": call.path,
        "headers": call.headers,
        "body": body,
        "status": call.status,
    }
