"""What every client connection shares."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from dragoman.clock import Clock, TimerWheel
from dragoman.dialects.base import ClientDialect
from dragoman.pipeline import Arrival, Pipeline
from dragoman.sides import ClientSide
from dragoman.web.paths import Paths
from dragoman.web.reply import Heads

if TYPE_CHECKING:  # few allow other origins, and what it imports takes time to load
    from dragoman.web.cross_origin import CrossOrigin
KEY_HEADERS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
"""Where clients put their keys."""
OWN_HEADERS: Final = KEY_HEADERS | {b"content-encoding", b"x-dragoman-on-unsupported"}
"""What the gateway itself looks at of a conversation's request."""


class Front:
    """Built once by ``app.py``; the counters at the end are read by the metrics."""

    def __init__(
        self,
        pipeline: Pipeline,
        paths: Paths,
        default_dialect: ClientDialect,
        clock: Clock,
        wheel: TimerWheel,
    ) -> None:
        self.pipeline = pipeline
        self.paths = paths
        self.default_dialect = default_dialect
        """Spells the errors of requests that never got as far as a dialect."""
        self.clock = clock
        self.wheel = wheel
        self.heads = Heads()
        self.body_limit = 32 * 1024 * 1024
        """Bytes of a request's body, compressed or not."""
        self.receive_timeout = 30.0
        """Seconds for a request's head, and between two pieces of its body."""
        self.body_timeout = 600.0
        """Seconds for a request's whole body."""
        self.keep_alive = 75.0
        """Seconds that an idle connection is kept."""
        self.wanted: Collection[bytes] = OWN_HEADERS
        """``OWN_HEADERS`` and those that some provider lets through, in lower case."""
        self.cross_origin: CrossOrigin | None = None
        """Which other web pages may call; ``None`` for none."""
        self.tap: Callable[[Arrival, str, ClientSide], ClientSide] | None = None
        """Stands between an exchange and its client to note what is said, where that is wanted; the
        text is the client's address."""
        self.disconnects = 0
        """Clients that hung up before their answer was complete."""

    @property
    def looks_at_heads(self) -> bool:
        """All headers of a request matter, not only those that every gateway reads."""
        return self.tap is not None or self.cross_origin is not None
