"""A ``Fetch`` that answers from a script and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


class Asked:
    def __init__(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        self.method = method
        self.url = url
        self.headers = dict(headers)
        assert len(self.headers) == len(headers), "no header twice"
        self.body = body


class ScriptedFetch:
    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self._answer = answer
        self.asked: list[Asked] = []

    async def __call__(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Answer:
        asked = Asked(method, url, headers, body)
        self.asked.append(asked)
        return self._answer(asked)


def json_answer(value: Any, status: int = 200) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()
