"""A request that the real service refuses: the one exception of the simulators."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Status, text and, where the upstream tells them, the parameter and the code."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.reason = reason
        """What the real service does not say; goes into a header of the simulator's own."""


def unsupported_value(name: str, value: Any, values: tuple[str, ...]) -> Refusal:
    """OpenAI's refusal of a value that is not among the known ones."""
    known = ", ".join(f"'{each}'" for each in values[:-1]) + f", and '{values[-1]}'"
    return Refusal(
        400,
        f"Invalid value: '{value}'. Supported values are: {known}.",
        param=name,
        code="invalid_value",
    )
