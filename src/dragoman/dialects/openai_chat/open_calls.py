"""Calls of a history whose results have not come yet."""

from __future__ import annotations

from collections import OrderedDict, defaultdict


class OpenCalls:
    """Finds the call that a result without an id answers: the oldest that is open.

    Every step takes constant time, because callers choose how long a history is.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        """Id of each call, answered or not -> its name."""
        self._open: OrderedDict[str, None] = OrderedDict()
        self._open_by_name: defaultdict[str, OrderedDict[str, None]] = defaultdict(OrderedDict)

    def add(self, call_id: str, name: str) -> None:
        """A call. An id that comes again means the later call."""
        self._close(call_id)
        self._names[call_id] = name
        self._open[call_id] = None
        self._open_by_name[name][call_id] = None

    def answered(self, call_id: str) -> str | None:
        """The name of the call that a result names; ``None`` if there is no such call."""
        self._close(call_id)
        return self._names.get(call_id)

    def oldest(self, name: str | None) -> tuple[str, str] | None:
        """Id and name of the oldest open call, of ``name`` where one of that name is open.

        It counts as answered; ``None`` if every call is.
        """
        calls = (self._open_by_name.get(name) if name is not None else None) or self._open
        if not calls:
            return None
        call_id = next(iter(calls))
        self._close(call_id)
        return call_id, self._names[call_id]

    def _close(self, call_id: str) -> None:
        if call_id in self._open:
            del self._open[call_id]
            del self._open_by_name[self._names[call_id]][call_id]
