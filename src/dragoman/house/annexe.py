"""Builds what is beside the conversations: the desk of operations, and the pages.

A part of building a house that has a file of its own. Like ``house`` it is told values and parts,
and nobody below it knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dragoman.accounts.ledger import Ledger
from dragoman.accounts.users import Keyring
from dragoman.clock import Clock
from dragoman.errands import Messenger
from dragoman.operations.desk import Desk
from dragoman.pool.broker import Broker
from dragoman.providers.base import Provider
from dragoman.routing import Router
from dragoman.transport.calls import Origin
from dragoman.web.asgi import App
from dragoman.web.front import Front

Upstreams = Mapping[str, tuple[Provider, Broker, Origin]]
"""By the provider's name: who signs, whose turn it is, and the connections."""


def desk_over(
    keyring: Keyring,
    router: Router,
    upstreams: Upstreams,
    ledger: Ledger,
    clock: Clock,
    *,
    attempts: int,
) -> Desk:
    """The desk of a house; ``attempts`` are calls for one errand at most."""
    messengers = {
        name: Messenger(broker, origin, attempts) for name, (_, broker, origin) in upstreams.items()
    }
    providers = {name: provider for name, (provider, _, _) in upstreams.items()}
    return Desk(keyring, router, providers, messengers, ledger, clock)


def pages_over(
    desk: Desk,
    front: Front,
    brokers: Mapping[str, Broker],
    readiness: Callable[[], dict[str, Any]],
    metrics: Callable[[], bytes],
) -> App:
    """The application for all that is no conversation. What it imports would delay the first
    answer of a gateway that has just started: it is built when it is first asked for.
    """
    from dragoman.operations.file_ids import FileIds  # noqa: PLC0415  # see above
    from dragoman.operations.files import Files  # noqa: PLC0415  # see above
    from dragoman.operations.models import Models  # noqa: PLC0415  # see above
    from dragoman.web.files import FileViews  # noqa: PLC0415  # see above
    from dragoman.web.operations import Views  # noqa: PLC0415  # see above
    from dragoman.web.pages import Pages  # noqa: PLC0415  # see above

    def disabled(provider: str) -> set[str]:
        keys = brokers[provider].snapshot().keys
        return {key.id for key in keys if key.state == "disabled"}

    dialect = front.default_dialect
    served = Models(desk)
    created = int(desk.clock.wall())
    pages = Pages(served, dialect, readiness, metrics, created)
    views = Views(desk, dialect, front.body_limit)
    ids = FileIds(desk.providers, desk.keyring.seal)
    files = FileViews(views, Files(desk, ids, disabled))
    return pages.app(front.paths, [*views.routes(), *files.routes()])
