"""``/_control``: look at the journal (GET), set options and queue faults (POST).

The body of a POST may hold ``reset`` (true: forget counters, faults, tokens and files), ``options``
(members of ``SimulatorOptions``), ``faults`` (each a text as in ``faults``, or an object
``{"fault", "simulator", "times", "on"}``; ``times`` is 1 unless given), ``clear_faults``,
``expire_tokens`` and ``forget_files``. Both answer with the view of the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman.simulators.delivery import House
from dragoman.simulators.faults import Fault, read_fault
from dragoman.simulators.options import Simulator, update_options


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A fault for the next ``times`` requests."""

    fault: str
    simulator: Simulator | None = None
    times: int | None = None
    on: str | None = None

    def read(self) -> Fault:
        """The fault itself.

        Raises:
            ValueError: if its text cannot be read.
        """
        fault = read_fault(self.fault)
        fault.times = self.times or fault.times or 1
        fault.on = self.on or fault.on
        fault.simulator = self.simulator or fault.simulator
        return fault


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST."""

    reset: bool = False
    clear_faults: bool = False
    expire_tokens: bool = False
    forget_files: bool = False
    options: dict[str, Any] = {}
    faults: list[FaultOrder | str] = []


class Control:
    """The control endpoint of one server."""

    def __init__(
        self,
        house: House,
        forget_tokens: Callable[[], None],
        forget_files: Callable[[], None],
    ) -> None:
        self._house = house
        self._forget_tokens = forget_tokens
        self._forget_files = forget_files

    def route(self) -> Route:
        """Where it is served."""
        return Route("/_control", self._serve, methods=["GET", "POST"])

    async def _serve(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._obey(msgspec.json.decode(await request.body(), type=Order))
            except (msgspec.DecodeError, ValueError) as error:
                return _json({"error": str(error)}, 400)
        return _json(self._view(), 200)

    def _obey(self, order: Order) -> None:
        faults = [
            (FaultOrder(fault) if isinstance(fault, str) else fault).read()
            for fault in order.faults
        ]
        update_options(self._house.options, order.options)
        if order.reset:
            self._house.journal.reset()
        if order.reset or order.clear_faults:
            self._house.faults.clear()
        if order.reset or order.expire_tokens:
            self._forget_tokens()
        if order.reset or order.forget_files:
            self._forget_files()
        if "faults" in order.options:
            for text in self._house.options.faults:
                self._house.faults.add(read_fault(text))
        for fault in faults:
            self._house.faults.add(fault)

    def _view(self) -> dict[str, Any]:
        waiting = [msgspec.to_builtins(fault) for fault in self._house.faults.waiting]
        options = msgspec.to_builtins(self._house.options)
        return {**self._house.journal.view(), "waiting_faults": waiting, "options": options}


def _json(value: Any, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
