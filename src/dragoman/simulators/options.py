"""What can be chosen about the simulators, and the credentials that they accept.

The credentials are invented, public and worth nothing: they only show that the right one
arrived. ``SimulatorOptions`` may change while the simulators run (see ``control``).
"""

from __future__ import annotations

import base64
from typing import Final, Literal

import msgspec

Simulator = Literal["anthropic", "gigachat", "openai"]


def _gigachat_key(number: int) -> str:
    return base64.b64encode(
        f"simulated-client-{number}:simulated-secret-{number}".encode()
    ).decode()


GIGACHAT_KEYS: Final = tuple(_gigachat_key(number) for number in (1, 2, 3))
"""Authorization keys accepted by default, for every scope."""
GIGACHAT_CORPORATE_KEY: Final = _gigachat_key(9)
"""An authorization key that is accepted for the scope GIGACHAT_API_CORP only."""
GIGACHAT_ACCESS_TOKEN: Final = "simulated-gigachat-access-token"
"""A ready access token that never expires."""
GIGACHAT_USER: Final = "simulated-user"
GIGACHAT_PASSWORD: Final = "simulated-password"
OPENAI_KEYS: Final = ("sk-simulated-1", "sk-simulated-2", "sk-simulated-3")
"""API keys accepted by default."""
ANTHROPIC_KEYS: Final = ("sk-ant-simulated-1", "sk-ant-simulated-2", "sk-ant-simulated-3")
"""API keys accepted by default."""
ANTHROPIC_ACCESS_TOKEN: Final = "simulated-anthropic-access-token"
"""A bearer token that is accepted in place of a key."""

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 9099


def _default_gigachat_keys() -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {key: [] for key in GIGACHAT_KEYS}
    keys[GIGACHAT_CORPORATE_KEY] = ["GIGACHAT_API_CORP"]
    return keys


class SimulatorOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen; times are in seconds."""

    faults: list[str] = []
    """Standing faults, as ``429:retry-after=2`` (see ``faults``)."""
    pace: float = 0.0
    """Pause between two events of every stream."""
    trigger_words: list[str] = msgspec.field(default_factory=lambda: ["blacklisted", "запретное"])
    """A user text that holds one is censored by GigaChat and refused by OpenAI and Claude."""

    gigachat_keys: dict[str, list[str]] = msgspec.field(default_factory=_default_gigachat_keys)
    """Accepted authorization keys, each with its scopes; no scope means all of them."""
    gigachat_users: dict[str, str] = msgspec.field(
        default_factory=lambda: {GIGACHAT_USER: GIGACHAT_PASSWORD}
    )
    """Users who may buy tokens at ``/token``, with their passwords; none: there is no such path,
    as in the public installation."""
    gigachat_tokens: list[str] = msgspec.field(default_factory=lambda: [GIGACHAT_ACCESS_TOKEN])
    """Ready access tokens that never expire."""
    gigachat_takes_certificates: bool = True
    """A client certificate stands for a key where a call brings no token; only over TLS."""
    token_shape: Literal["access_token", "tok"] = "access_token"
    """``{access_token, expires_at in ms}`` or ``{tok, exp in s}``."""
    token_lifetime: float = 1800.0
    gigachat_in_flight: int | None = None
    """Chat requests in flight for one key; the next one gets 429 at once."""
    gigachat_retry_after: int | None = None
    """``Retry-After`` of those 429 answers; without one, the header is absent."""
    gigachat_call_events: Literal["one", "two"] = "one"
    """Whether a streamed call and its finish_reason come in one event or in two."""
    gigachat_refuses_zero_temperature: bool = True
    gigachat_refuses_reported_keywords: bool = False
    """Refuse also the schema keywords that only some backends are said to refuse (``title``,
    ``additionalProperties``, ...); otherwise they count as warnings."""
    gigachat_takes_full_schemas: bool = False
    """Take any JSON Schema for functions, as the newest backends are said to do."""
    gigachat_thinks_in_tags: bool = False
    """Write thoughts into the text, between ``<think>`` and ``</think>``, as some models do."""
    gigachat_shuffles_embeddings: bool = False
    gigachat_vector_size: int | None = None
    """Numbers in a vector instead of the model's own, where thousands of vectors are asked for."""
    gigachat_images_per_message: int = 1

    openai_keys: list[str] = msgspec.field(default_factory=lambda: list(OPENAI_KEYS))
    openai_models: list[str] = []
    """Model names to list and accept beside the built-in ones."""
    openai_accepts_all_models: bool = True
    """Accept any name but those that start with ``missing``."""
    anthropic_keys: list[str] = msgspec.field(default_factory=lambda: list(ANTHROPIC_KEYS))
    strict_unknown: bool = False
    """Refuse unknown top-level members of OpenAI chat bodies with ``unknown_parameter``."""


def update_options(options: SimulatorOptions, changes: dict[str, object]) -> None:
    """Set members of ``options`` in place.

    Raises:
        msgspec.ValidationError: for an unknown member or a wrong type; nothing is changed then.
    """
    merged = msgspec.convert({**msgspec.to_builtins(options), **changes}, SimulatorOptions)
    for name in changes:
        setattr(options, name, getattr(merged, name))
