"""What every client connection shares."""

from __future__ import annotations

from dragoman.clock import Clock, TimerWheel
from dragoman.dialects.base import ClientDialect
from dragoman.pipeline import Pipeline
from dragoman.web.paths import Paths
from dragoman.web.reply import Heads


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
        self.disconnects = 0
        """Clients that hung up before their answer was complete."""
