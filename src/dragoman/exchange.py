"""A request in flight, as a synchronous state machine. Pure.

An ``Exchange`` is *told* what happened (``granted``, ``refused``, ``head``, ``data``, ``end``,
``lost``, ``client_gone``, ``paused``, ``resumed``, ``stop``) and *says* what to do through two
narrow sides (``sides.py``). It awaits nothing, reads no clock and opens nothing, so that every
order of happenings can be tried without a socket::

    WAITING ──granted──▶ CALLING ──head──▶ COLLECTING (whole answers, errors) ──end──▶ OVER
       ▲                    │      └─────▶ HOLDING ──meaningful event──▶ RELAYING ──▶ OVER
       └──another attempt───┴──lost, error status, a stream that breaks while held──┘

Three things always hold. Until the client has been sent a byte another credential or target
may be tried, after it never. Every lease goes back exactly once. ``settle`` is called exactly
once, before the answer's last byte goes out, whatever happened.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Final

from dragoman.dialects.base import ClientDialect
from dragoman.errors import (
    GatewayError,
    InternalError,
    ShuttingDown,
    UpstreamBroken,
)
from dragoman.pool.leases import Lease, Ticket
from dragoman.relay import Relay, counted
from dragoman.sides import Answer, ClientSide, Outcome, Prepared, Question, State, Target
from dragoman.transport.calls import Flight, Head

ERROR_BODY_LIMIT: Final = 256 * 1024
"""Bytes of an upstream's error answer that are read; the rest is not worth waiting for."""


class Exchange:
    """See the module docstring. A ``Waiter`` for the pool, a ``Listener`` for the transport."""

    _question: Question
    _relay: Relay
    _prepared: Prepared
    _plan: Sequence[Target] = ()
    _tried = 0  # targets of the plan
    _attempts = 0  # calls
    _excluded: dict[str, frozenset[str]] | None = None  # by target, keys that failed
    _failure: GatewayError | None = None  # of the last call that was made
    _status = 0
    _target: Target | None = None
    _lease: Lease | None = None
    _renewed: tuple[type[GatewayError], ...] = ()  # refusals that were mended under this lease
    _ticket: Ticket | None = None
    _flight: Flight | None = None
    _refusal: Head | None = None  # of the error answer that is being collected
    _size = 0
    _is_paused = False

    def __init__(
        self,
        client: ClientSide,
        dialect: ClientDialect,
        settle: Callable[[Exchange, Outcome], None],
        body_limit: int = 64 * 1024 * 1024,
    ) -> None:
        self.state = State.WAITING
        self._client = client
        self._dialect = dialect
        self._settle = settle
        self._body_limit = body_limit  # bytes of a whole answer
        self._blocks: list[bytes] = []  # of a body being collected, or held for the client

    # Told by the pipeline.

    def start(self, question: Question, plan: Sequence[Target]) -> None:
        """Try ``plan`` in order until one target begins to answer. It is the whole retry policy:
        the same target twice means a second try with another of its keys, if it has one.
        """
        self._question = question
        self._plan = plan
        self._next()

    def fail(self, error: GatewayError) -> None:
        """End before anything was tried: the request itself is no good."""
        if self.state is not State.OVER:
            self._report(error)

    def stop(self) -> None:
        """The gateway is shutting down and can wait no longer."""
        self.fail(ShuttingDown("The gateway is restarting. Send the request again."))

    # Told by the pool.

    def granted(self, lease: Lease) -> None:
        """A key is ours."""
        self._ticket = None
        if self.state is State.WAITING:
            self._call_with(lease)
        else:
            lease.release(None)

    def refused(self, error: GatewayError) -> None:
        """The pool will not give a key."""
        self._ticket = None
        if self.state is State.WAITING:
            self._attempt_failed(error)

    # Told by the transport.

    def head(self, head: Head) -> None:
        """The upstream has begun to answer."""
        if self.state is not State.CALLING:
            return
        content_type = head.headers.get("content-type", "")
        if head.status != 200:
            self._refusal = head
            self.state = State.COLLECTING
        elif self._question.request.stream and "json" not in content_type:
            self.state = State.HOLDING
        else:
            self.state = State.COLLECTING

    def data(self, block: bytes) -> None:
        """Bytes of the answer."""
        state = self.state
        try:
            if state is State.RELAYING:
                out = self._relay.feed(block)
                if self._relay.error is not None or self._relay.over:
                    self._stream_ended(out)
                elif out:
                    self._client.write(out)
            elif state is State.HOLDING:
                self._hold(self._relay.feed(block))
            elif state is State.COLLECTING:
                self._collect(block)
            else:  # more than a last word: this connection can never serve again
                self._drop_flight()
        except Exception:  # noqa: BLE001  # no caller could recover: this is the outermost edge
            self._bug()

    def end(self, block: bytes) -> None:
        """The answer's bytes are complete."""
        self._flight = None
        state = self.state
        if state is State.OVER or state is State.WAITING:
            return
        try:
            if state is State.RELAYING or state is State.HOLDING:
                out = self._relay.feed(block) if block else b""
                if self._relay.error is None and not self._relay.enough:
                    out += self._relay.close()
                self._stream_ended(out)
            else:
                self._collect(block)
                if self.state is State.COLLECTING:
                    self._collected()
        except Exception:  # noqa: BLE001  # as in data()
            self._bug()

    def lost(self, error: GatewayError) -> None:
        """There will be no more of the answer."""
        self._flight = None
        if self.state is State.RELAYING:
            self._report(error)
        elif self.state is not State.OVER and self.state is not State.WAITING:
            self._attempt_failed(error)

    # Told by the client's connection.

    def client_gone(self) -> None:
        """The client has hung up: its upstream is closed at once."""
        if self.state is not State.OVER:
            self._drop_upstream(None)
            self._over(None, client_left=True)

    def paused(self) -> None:
        """The client reads slower than the upstream writes."""
        self._is_paused = True
        if self._flight is not None and self.state is not State.OVER:
            self._flight.pause()

    def resumed(self) -> None:
        """The client has caught up."""
        self._is_paused = False
        if self._flight is not None:
            self._flight.resume()

    # Attempts.

    def _next(self) -> None:
        target = self._plan[self._tried]
        self._tried += 1
        self.state = State.WAITING
        try:
            if target is not self._target:
                self._target = target
                self._prepared = target.side.prepare(target.model, self._question)
        except GatewayError as error:
            while self._tried < len(self._plan) and self._plan[self._tried] is target:
                self._tried += 1  # it would say the same again
            self._attempt_failed(error)
            return
        excluded = self._excluded.get(target.label) if self._excluded else None
        loan = target.side.acquire(self._question.caller, self, excluded or frozenset())
        if isinstance(loan, Lease):
            self._call_with(loan)
        else:
            self._ticket = loan

    def _call_with(self, lease: Lease) -> None:
        self._lease, self._renewed = lease, ()
        self._call()

    def _call(self) -> None:
        lease, target = self._lease, self._target
        assert lease is not None and target is not None  # noqa: S101, PT018  # granted() has set both
        self._attempts += 1
        attempt = self._attempts
        self._relay = self._prepared.relay()
        self._refusal = None
        self._blocks = []
        self._size = 0
        self.state = State.CALLING
        flight = target.side.send(self._prepared, lease, self)
        if self.state is not State.CALLING or self._attempts != attempt:
            return  # told of the end while sending
        self._flight = flight
        if self._is_paused:
            flight.pause()

    def _attempt_failed(self, error: GatewayError) -> None:
        """Nothing has reached the client: try again if the plan and the error allow it."""
        self._drop_flight()
        lease, target = self._lease, self._target
        if lease is not None and target is not None:
            if type(error) not in self._renewed and self._prepared.is_mended(error, lease):
                self._renewed += (type(error),)
                self._call()
                return
            self._failure = error
            excluded = self._excluded = self._excluded or {}
            excluded[target.label] = excluded.get(target.label, frozenset()) | {lease.key_id}
        if error.retryable and self._tried < len(self._plan):
            self._give_back(error)
            self._next()
        else:  # that no key is left for another try says less than why the last one failed
            self._report(error if lease is not None else self._failure or error)

    # Answers.

    def _collect(self, block: bytes) -> None:
        limit = self._body_limit if self._refusal is None else ERROR_BODY_LIMIT
        self._size += len(block)
        if self._size <= limit:
            self._blocks.append(block)
        elif self._refusal is not None:
            self._drop_flight()
            self._collected()
        else:
            self._attempt_failed(
                UpstreamBroken(f"The upstream's answer is larger than {limit} bytes.")
            )

    def _collected(self) -> None:
        body = self._take_held()
        refusal = self._refusal
        if refusal is not None:
            self._attempt_failed(self._prepared.read_error(refusal.status, refusal.headers, body))
            return
        stream = self._question.request.stream
        try:
            out = self._relay.unfolded(body) if stream else self._relay.whole(body)
        except GatewayError as error:
            self._attempt_failed(error)
            return
        if stream:
            self.state, self._blocks = State.HOLDING, [out]
            self._stream_ended(b"")
            return
        self._give_back(None)
        answer = self._answer(200)
        self._over(None)
        self._client.reply(answer, out)

    def _hold(self, out: bytes) -> None:
        """200 is sent when the first meaningful event is there, not before."""
        if out:
            self._blocks.append(out)
        relay = self._relay
        if relay.error is not None or relay.over:
            self._stream_ended(b"")
        elif relay.begun:
            self.state = State.RELAYING
            self._client.open(self._answer(200), self._take_held())

    def _take_held(self) -> bytes:
        blocks, self._blocks = self._blocks, []
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _stream_ended(self, out: bytes) -> None:
        """The relay has seen the last word, or knows that there will be none."""
        error = self._relay.error
        if self.state is State.HOLDING:
            if error is not None and not self._relay.begun:
                self._attempt_failed(error)
                return
            self.state = State.RELAYING
            self._client.open(self._answer(200), self._take_held())
        if error is not None:
            if out:
                self._client.write(out)
            self._report(error)
            return
        if self._relay.enough:
            self._drop_flight()  # else only the end of its bytes is still to come: let it land
        self._give_back(None)
        self._over(None)
        self._client.close(out)

    # Endings.

    def _answer(self, status: int, retry_after: float | None = None) -> Answer:
        self._status = status
        target = self._target
        return Answer(
            status,
            target.label if target is not None else None,
            self._attempts,
            self._prepared.fidelity if self._attempts else None,
            retry_after,
        )

    def _report(self, error: GatewayError) -> None:
        """Tell the client, in whatever form its answer still allows."""
        self._drop_upstream(error)
        if self.state is State.RELAYING:
            last = self._relay.fail(error)
            self._over(error)
            self._client.close(last)
        else:
            answer = self._answer(error.status, error.retry_after)
            body = self._dialect.write_error(error)
            self._over(error)
            self._client.reply(answer, body)

    def _bug(self) -> None:
        """An exception that nobody foresaw; the log gets its traceback."""
        if self.state is not State.OVER:
            error = InternalError(
                "The gateway stumbled over this answer. Its log has the details.",
                detail=traceback.format_exc(),
            )
            self._report(error)

    def _drop_flight(self) -> None:
        if self._flight is not None:
            flight, self._flight = self._flight, None
            flight.abort()

    def _drop_upstream(self, error: GatewayError | None) -> None:
        """Let go of whatever we hold: a place in the queue, a call, a key."""
        if self._ticket is not None:
            ticket, self._ticket = self._ticket, None
            ticket.cancel()
        self._drop_flight()
        self._give_back(error)

    def _give_back(self, error: GatewayError | None) -> None:
        if self._lease is not None:
            lease, self._lease = self._lease, None
            lease.release(error)

    def _over(self, error: GatewayError | None, *, client_left: bool = False) -> None:
        self.state = State.OVER
        target = self._target
        outcome = Outcome(
            self._status,
            error,
            counted(self._relay, self._prepared.body) if self._attempts else None,
            target.label if target is not None else None,
            self._attempts,
            self._prepared.fidelity if self._attempts else None,
            client_left,
        )
        self._settle(self, outcome)
