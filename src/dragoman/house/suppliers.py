"""Builds providers from their settings."""

from __future__ import annotations

from dragoman.clock import SystemClock
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.dialects.gigachat.schemas import SchemaLevel
from dragoman.house.networks import Networks, fetch_over
from dragoman.providers.anthropic import Access, Anthropic
from dragoman.providers.base import Fetch, Provider, Secret
from dragoman.providers.gigachat import Contour, GigaChat
from dragoman.providers.openai_compatible import OpenAICompatible
from dragoman.settings.tree import (
    AnthropicSettings,
    GigaChatSettings,
    OpenAICompatibleSettings,
    ProviderBlock,
)
from dragoman.telemetry.logging import get_logger

log = get_logger("dragoman")


def supplier(
    name: str, block: ProviderBlock, networks: Networks, clock: SystemClock
) -> tuple[Provider, str]:
    """The provider that ``block`` describes, and the address of its API."""
    credentials = [
        Secret(value) for value in (secret.get_secret_value() for secret in block.credentials)
    ]
    headers = {key: value.get_secret_value() for key, value in block.headers.items()}
    match block:
        case AnthropicSettings():
            access = Access(
                base_url=block.base_url, version=block.version, betas=block.betas, headers=headers
            )
            fetch = fetch_over(networks, block.base_url)
            claude = Anthropic(
                name=name, credentials=credentials, fetch=fetch, access=access, models=block.models
            )
            return claude, block.base_url
        case GigaChatSettings():
            fetch = fetch_over(networks, block.base_url)
            return _gigachat(name, block, credentials, fetch, clock), block.base_url
        case OpenAICompatibleSettings():
            return (
                OpenAICompatible(
                    name=name,
                    base_url=block.base_url,
                    fetch=fetch_over(networks, block.base_url),
                    credentials=credentials,
                    headers=headers,
                    models=block.models,
                ),
                block.base_url,
            )
    raise ValueError(f"no provider for {type(block).__name__}")


def contour_of(block: GigaChatSettings) -> Contour:
    """The installation of GigaChat that ``block`` describes and how it is used; the same for guests
    and the gateway's own calls.
    """
    preferences = Preferences(
        schema_level=SchemaLevel(block.schema_level),
        max_tokens=block.default_max_tokens,
        reasoning_effort=block.default_reasoning_effort if block.reasoning else None,
        session_ids=block.session_ids,
    )
    by_setting = {"auto": None, "native": True, "function": False}
    return Contour(
        base_url=block.base_url,
        auth_url=block.auth_url,
        scope=block.scope,
        api=block.api,
        takes_passwords=block.has_address,
        takes_unsigned=block.client_certificate is not None,
        preferences=preferences if preferences != STANDARD else STANDARD,
        json_schema=by_setting[block.structured_output],
        reasoning=block.reasoning,
    )


def _gigachat(
    name: str,
    block: GigaChatSettings,
    credentials: list[Secret],
    fetch: Fetch,
    clock: SystemClock,
) -> GigaChat:
    if block.access_token is not None:
        credentials.append(Secret("token:" + block.access_token.get_secret_value()))
    if block.user is not None and block.password is not None:
        login = f"{block.user.get_secret_value()}:{block.password.get_secret_value()}"
        credentials.append(Secret("user:" + login))
    provider = GigaChat(
        name=name,
        credentials=credentials,
        fetch=fetch,
        clock=clock,
        contour=contour_of(block),
        models=block.models,
    )
    for warning in provider.warnings:
        log.warning("a credential looks wrong", provider=name, detail=warning)
    return provider


def limits_by_key(provider: Provider, block: ProviderBlock) -> dict[str, int]:
    """Where credentials of one provider belong to several contracts."""
    if not isinstance(provider, GigaChat) or not isinstance(block, GigaChatSettings):
        return {}
    limits = {key: block.in_flight_for(scope) for key, scope in provider.scopes.items()}
    return {key: limit for key, limit in limits.items() if limit is not None}
