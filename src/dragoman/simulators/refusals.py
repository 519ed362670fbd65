"""The one exception of the simulators: a request that the real service refuses."""

from __future__ import annotations


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
