"""What is known of a request when it is over: one record for the log and the metrics alike."""

from __future__ import annotations

from msgspec import Struct


class RequestRecord(Struct, frozen=True, gc=False):
    """One finished request. Times of day are Unix seconds, durations seconds."""

    time: float
    """When it came in."""
    request_id: str
    """Made by the gateway: plain ASCII and no secret."""
    method: str
    path: str
    """Without the query, which may hold a key."""
    status: int
    """What the client saw."""
    caller: str = ""
    """Who asked: the user's or token's name, never the token."""
    target: str = ""
    """``provider/model``; empty when it came to no target."""
    attempts: int = 0
    """Calls made upstream."""
    duration: float = 0.0
    first_byte: float | None = None
    """Until the first byte of the answer was written; ``None`` if none was."""
    tokens_in: int = 0
    """The whole prompt, cached tokens included."""
    tokens_out: int = 0
    tokens_cached: int = 0
    """Of ``tokens_in``, those read from the provider's cache."""
    error: str | None = None
    """``GatewayError.kind``, also when the answer had begun before it failed."""
    fidelity: str = "exact"
    client_left: bool = False
    """The client hung up before its answer was complete."""

    @property
    def failed(self) -> bool:
        """Somebody should look at it."""
        return self.error is not None or self.status >= 400
