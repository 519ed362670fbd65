"""The health of every credential, asked of its provider now, at no cost.

Each credential is signed with, asked for the list of models and, where the provider has one, for
its balance. The pool has no part in it: also a key that is disabled or cools is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, TypeVar

from msgspec import Struct

from dragoman.clock import Clock
from dragoman.dialects.base import Headers
from dragoman.dialects.operations import Balance
from dragoman.errands import Errand, Messenger
from dragoman.errors import GatewayError, UpstreamForbidden, UpstreamRefused
from dragoman.pool.keys import Key
from dragoman.pool.leases import Lease, Waiter
from dragoman.pool.scheduler import NO_KEYS
from dragoman.providers.base import Credential, Provider
from dragoman.transport.calls import Origin

AT_ONCE: Final = 8
"""Credentials that are looked at together."""
ANSWER_LIMIT: Final = 4 * 1024 * 1024

T = TypeVar("T")


class Finding(Struct, kw_only=True):
    """What was found out about one credential. Holds no secret."""

    provider: str
    credential: str
    healthy: bool
    state: str = "ok"
    """``ok``, or the kind of the error."""
    problem: str = ""
    """What is wrong, for the operator."""
    models: int | None = None
    """How many it may use."""
    balance: Sequence[Balance] | None = None
    """``None`` where the provider or the contract has no prepaid packages."""
    seconds: float = 0.0


class OwnKey:
    """The ``Pool`` of an errand that is to be run with one credential and no other."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def acquire(
        self,
        caller: str,  # noqa: ARG002 - part of Pool
        waiter: Waiter,  # noqa: ARG002 - part of Pool
        *,
        excluded: AbstractSet[str] = NO_KEYS,  # noqa: ARG002 - part of Pool
    ) -> Lease:
        """A lease at once; nobody keeps account of it."""
        return Lease(self._credential, Key(self._credential.id), lambda _key, _error: None)


class _Trail:
    caller = ""
    attempts = 0


async def examine(
    providers: Mapping[str, Provider],
    origins: Mapping[str, Origin],
    clock: Clock,
    told: Callable[[Finding], None] = lambda _: None,
) -> list[Finding]:
    """A finding for each credential, in the order of the settings; ``told`` hears of each as soon
    as it is there.
    """
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(provider: Provider, credential: Credential) -> Finding:
        async with at_once:
            began = clock.now()
            messenger = Messenger(OwnKey(credential), origins[provider.name], 1)
            finding = await _examined(provider, credential, messenger)
            finding.seconds = clock.now() - began
            told(finding)
            return finding

    return await asyncio.gather(
        *(
            one(provider, credential)
            for provider in providers.values()
            for credential in provider.credentials
        )
    )


async def _examined(provider: Provider, credential: Credential, messenger: Messenger) -> Finding:
    finding = Finding(provider=provider.name, credential=credential.id, healthy=True)
    operations = provider.operations
    api = operations.models
    try:
        names = await _asked(provider, messenger, api.path, api.read_error, api.read_response)
        finding.models = len(names)
        if operations.balance is not None:
            finding.balance = await _balance(provider, messenger)
    except GatewayError as error:
        finding.healthy = False
        finding.state = error.kind
        finding.problem = error.detail or error.message
    return finding


async def _balance(provider: Provider, messenger: Messenger) -> Sequence[Balance] | None:
    """``None`` where the contract is paid as it goes: the provider then answers 403."""
    api = provider.operations.balance
    if api is None:
        return None
    try:
        return await _asked(provider, messenger, api.path, api.read_error, api.read_response)
    except (UpstreamForbidden, UpstreamRefused):
        return None


async def _asked(
    provider: Provider,
    messenger: Messenger,
    path: str,
    read_error: Callable[[int, Headers, bytes], GatewayError],
    read_response: Callable[[bytes], T],
) -> T:
    head = provider.operation_head("GET", path, ())
    errand = Errand(head=head, read_error=read_error, idempotent=True)
    return read_response(await messenger.ask(errand, _Trail(), limit=ANSWER_LIMIT))
