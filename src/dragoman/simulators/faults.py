"""Faults on request: how they are written, where they wait, and what one request has to suffer.

One grammar for all three ways in (start option, control endpoint, ``[[fault:...]]`` in the last
user message): a name and ``key=value`` pairs, parted by blanks, colons or commas, as in
``429 retry-after=1`` or ``cut:after=3,bytes=5``. Names: a status from 400 to 599, ``html``,
``drop``, ``slow``, ``expired-token`` (before the answer); ``cut``, ``stall``, ``bad-chunk``,
``bad-json``, ``error-in-stream``, ``no-done``, ``no-usage``, ``no-finish``, ``spoiled-call``
(GigaChat's ``finish_reason`` for arguments that its model spoiled; within it). Keys:
``after`` (events), ``bytes``, ``seconds``, ``status``, ``retry-after``, ``reset``; and for whom:
``times``, ``every``, ``on`` (a part of the path), ``simulator``. Other directives:
``[[pace:20ms]]``, ``[[chunks:50]]``, ``[[split:7]]`` (bytes to a write), ``[[say:text]]``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

WITHIN: Final = frozenset(
    {"cut", "stall", "bad-chunk", "bad-json", "error-in-stream"}
    | {"no-done", "no-usage", "no-finish", "spoiled-call"}
)
BEFORE: Final = frozenset({"html", "drop", "slow", "expired-token"})
REMEMBERED: Final = 4096

_DIRECTIVE = re.compile(r"\[\[(fault|pace|chunks|split|say):(.*?)\]\] ?", re.DOTALL)
_PAIR = re.compile(r"([a-z_-]+)=([^\s,]+)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)?")


class Fault(msgspec.Struct, kw_only=True):
    """One misbehaviour, and for which requests it is meant."""

    name: str
    after: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    status: int | None = None
    retry_after: str | None = None
    reset: bool = False
    times: int | None = None
    every: int = 1
    on: str | None = None
    simulator: str | None = None
    seen: int = 0
    """Requests that it could have hit so far."""

    def concerns(self, simulator: str, path: str) -> bool:
        """Whether it is meant for this simulator and path; token fetches only when named."""
        if self.simulator not in (None, simulator):
            return False
        if self.on is None:
            return not path.endswith(("/oauth", "/token"))
        return self.on in path

    def is_due(self) -> bool:
        """Count one more request; True if this one is hit."""
        self.seen += 1
        if self.seen % self.every:
            return False
        return self.times is None or self.seen // self.every <= self.times

    @property
    def is_spent(self) -> bool:
        """Whether it will never hit again."""
        return self.times is not None and self.seen // self.every >= self.times


def read_fault(text: str) -> Fault:
    """A fault from its text, as in ``429:retry-after=2``.

    Raises:
        ValueError: for an unknown name, an unknown key or a bad value.
    """
    name, _, rest = re.sub(r"[\s:,]+", " ", text.strip()).partition(" ")
    pairs = {key.replace("-", "_"): value for key, value in _PAIR.findall(rest)}
    if name.isdecimal():
        if not 400 <= int(name) <= 599:
            raise ValueError(f"fault {text!r}: a status from 400 to 599 is needed")
        pairs["status"] = name
    elif name not in WITHIN | BEFORE:
        raise ValueError(f"fault {text!r}: the name {name!r} is unknown")
    unknown = pairs.keys() - set(Fault.__struct_fields__) | ({"seen", "name"} & pairs.keys())
    if unknown:
        raise ValueError(f"fault {text!r}: unknown key {', '.join(sorted(unknown))}")
    try:
        fault = msgspec.convert({"name": name, **pairs}, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"fault {text!r}: {error}") from None
    if fault.every < 1:
        raise ValueError(f"fault {text!r}: every must be at least 1")
    if name == "expired-token" and fault.times is None:
        fault.times = 1
    return fault


class Plan(msgspec.Struct, kw_only=True):
    """What one request has to suffer, and how its answer is to be sent."""

    faults: list[Fault] = []
    pace: float | None = None
    """Seconds between events; None means the server's default."""
    chunks: int | None = None
    """How many content events the answer must have."""
    split: int | None = None
    """Write the body in pieces of that many bytes."""
    say: str | None = None
    """The answer's text, literally."""

    def find(self, name: str) -> Fault | None:
        """The first fault of that name."""
        return next((fault for fault in self.faults if fault.name == name), None)

    def has(self, name: str) -> bool:
        """Whether there is a fault of that name."""
        return self.find(name) is not None

    @property
    def refusal(self) -> Fault | None:
        """The fault that replaces the whole answer by an error, if there is one."""
        for fault in self.faults:
            if fault.name in ("html", "expired-token") or fault.name.isdecimal():
                return fault
        return None


class FaultBook:
    """Standing and queued faults, and how often the directives with ``times`` have hit."""

    def __init__(self, standing: Iterable[str] = ()) -> None:
        self.waiting = [read_fault(text) for text in standing]
        self._directive_hits: OrderedDict[str, int] = OrderedDict()

    def add(self, fault: Fault) -> None:
        """Queue one more."""
        self.waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults, also how often directives have hit."""
        self.waiting.clear()
        self._directive_hits.clear()

    def plan(self, simulator: str, path: str) -> Plan:
        """What waits for a request to ``path``; spent faults leave the book."""
        concerned = [fault for fault in self.waiting if fault.concerns(simulator, path)]
        plan = Plan(faults=[fault for fault in concerned if fault.is_due()])
        self.waiting = [fault for fault in self.waiting if not fault.is_spent]
        return plan

    def read_directives(self, plan: Plan, text: str) -> str:
        """Add what the user's ``text`` asks for to ``plan``; returns the text without directives.

        Directives that cannot be read stay in the text, so that the answer shows them.
        """
        if "[[" not in text:
            return text
        return _DIRECTIVE.sub(lambda match: self._read_directive(plan, match, text), text).strip()

    def _read_directive(self, plan: Plan, match: re.Match[str], text: str) -> str:
        kind, argument = match[1], match[2].strip()
        try:
            if kind == "fault":
                self._add_directive_fault(plan, read_fault(argument), text)
            elif kind == "pace":
                plan.pace = read_duration(argument)
            elif kind == "say":
                plan.say = match[2]
            elif kind == "chunks":
                plan.chunks = max(1, int(argument))
            else:
                plan.split = max(1, int(argument))
        except ValueError:
            return match[0]
        return ""

    def _add_directive_fault(self, plan: Plan, fault: Fault, text: str) -> None:
        if fault.times is not None:
            key = f"{fault.name} {text}"
            hits = self._directive_hits.pop(key, 0)
            if hits >= fault.times:
                return
            self._directive_hits[key] = hits + 1
            while len(self._directive_hits) > REMEMBERED:
                self._directive_hits.popitem(last=False)
        plan.faults.append(fault)


def read_duration(text: str) -> float:
    """Seconds from ``20ms``, ``1.5s`` or ``2``.

    Raises:
        ValueError: if it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 20ms or 1.5s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)
