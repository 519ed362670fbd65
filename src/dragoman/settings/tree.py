"""The tree: every table of ``dragoman.toml`` as a frozen model.

The text under a field says what it means, with its unit and what its extremes do; the reference
in ``docs/settings.md`` and the remedies in messages are taken from it. ``PROVIDER_KINDS`` lists
the kinds of providers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr

from dragoman.settings.block import Block
from dragoman.settings.logs import LogSettings, TrafficLogSettings
from dragoman.settings.media import MediaSettings
from dragoman.settings.server import ServerSettings
from dragoman.settings.values import (
    PERSONAL_SCOPE,
    ExistingFile,
    GigaChatCredentials,
    Names,
    Password,
    Place,
    ProxyAddress,
    Scope,
    Seconds,
    Secret,
    Secrets,
    WebAddress,
)

GIGACHAT_URL: Final = "https://gigachat.devices.sberbank.ru/api/v1"
GIGACHAT_AUTH_URL: Final = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
ANTHROPIC_URL: Final = "https://api.anthropic.com"
GIGACHAT_HEADERS: Final = (
    "X-Session-ID",
    "X-Request-ID",
    "X-Client-ID",
    "X-Trace-ID",
    "X-Service-ID",
    "X-Operation-ID",
    "X-Agent-ID",
)
"""What GigaChat's own SDK may send with a call."""

RESERVED_NAMES: Final = frozenset(
    [
        "admin",
        "embeddings",
        "files",
        "health",
        "me",
        "metrics",
        "model",
        "models",
        "proxy",
        "ready",
        "status",
        "tokens",
        "v1",
        "v1beta",
        "v1beta1",
        "v2",
    ]
)
"""Names that no provider may have, because ``/{provider}/v1/...`` is a path."""

SECRET_FIELDS: Final = frozenset(
    {
        "access_token",
        "api_keys",
        "client_key_password",
        "credentials",
        "headers",
        "password",
        "proxy",
        "tls_key_password",
        "user",
    }
)
"""Fields whose values are never shown and may be given as ``env:NAME`` or ``file:PATH``."""

FILE_FIELDS: Final = frozenset(
    {"ca_bundle", "client_certificate", "client_key", "file", "tls_certificate", "tls_key"}
)
"""Fields that name a file; a relative path counts from the file that the setting stands in."""


class QueueSettings(Block):
    """Requests that wait because every credential of their target is busy."""

    max_length: int = Field(default=200, ge=0, le=1_000_000)
    """Requests that may wait for one provider at a time; more are refused with 429; 0 means that
    none may wait."""
    max_wait: Seconds = 60
    """Seconds that a request may wait; then it is refused with 503."""


class RetrySettings(Block):
    """Second tries, which end for good when the first part of an answer has been sent."""

    attempts: int = Field(default=3, ge=1, le=20)
    """Calls upstream for one request at most, over all credentials and targets; 1 means no second
    try."""


class TimeoutSettings(Block):
    """How long to wait for an upstream."""

    connect: Seconds = 10
    """Seconds to open a connection, name look-up, proxy and TLS included."""
    first_byte: Seconds = 300
    """Seconds from the end of the request to the first byte of the answer."""
    idle: Seconds = 120
    """Seconds without a byte in the middle of an answer."""
    total: Seconds = 1800
    """Seconds for the whole call."""


class LimitSettings(Block):
    """How much one credential is asked to do at once."""

    in_flight: int | None = Field(default=None, ge=0, le=100_000)
    """Calls in flight on one credential; 0 means no limit; unset takes what fits the provider
    (GigaChat: 1 with the personal scope, 10 with the others; elsewhere: no limit)."""


class ProviderBlock(Block):
    """What every provider takes."""

    credentials: Secrets = ()
    """Secrets to sign with; requests are spread over all of them."""
    ca_bundle: ExistingFile | None = None
    """PEM file with certificate authorities to trust beside the usual ones."""
    client_certificate: ExistingFile | None = None
    """PEM file with the certificate to show to the provider (mutual TLS)."""
    client_key: ExistingFile | None = None
    """PEM file with the private key of `client_certificate`, unless that file holds it too."""
    client_key_password: Secret | None = None
    """Password of the private key."""
    verify_tls: bool = True
    """Check the provider's certificate; `false` lets anybody on the way read the traffic."""
    proxy: ProxyAddress | None = None
    """Proxy for calls to this provider: `http://[USER:PASSWORD@]HOST:PORT` or `socks5://...`."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """See `[providers.NAME.timeouts]`."""
    limits: LimitSettings = LimitSettings()
    """See `[providers.NAME.limits]`."""
    models: Names = ()
    """Models that it serves, beside those that it reports itself."""
    embeddings_model: str | None = None
    """Model that embeds for requests which name none that the provider is known to embed with, as
    `text-embedding-3-small` at GigaChat; empty sends every name as it is; unset takes what fits
    the provider (GigaChat: `EmbeddingsGigaR`; OpenAI-compatible: empty)."""
    headers: Mapping[str, Secret] = Field(default_factory=dict)
    """More headers for every call to it."""
    pass_headers: Names | None = None
    """Headers of the client that go on to it; unset takes what fits the provider (GigaChat:
    `X-Session-ID`, `X-Request-ID`, `X-Client-ID`, `X-Trace-ID`, `X-Service-ID`, `X-Operation-ID`,
    `X-Agent-ID`; OpenAI-compatible: none). No other ever does."""

    @property
    def passed_headers(self) -> tuple[str, ...]:
        """Headers of the client that go on, in lower case."""
        chosen = self.usual_headers if self.pass_headers is None else self.pass_headers
        return tuple(name.lower() for name in chosen)

    @property
    def usual_headers(self) -> tuple[str, ...]:
        """What ``passed_headers`` are when the settings do not say."""
        return ()

    @property
    def in_flight(self) -> int | None:
        """Calls in flight on one credential; ``None`` means no limit."""
        asked = self.limits.in_flight
        return self.usual_in_flight if asked is None else asked or None

    @property
    def usual_in_flight(self) -> int | None:
        """What ``in_flight`` is when the settings do not say."""
        return None

    @property
    def embedder(self) -> str | None:
        """Model that embeds in place of names that do not; ``None`` when none does."""
        asked = self.embeddings_model
        return self.usual_embedder if asked is None else asked or None

    @property
    def usual_embedder(self) -> str | None:
        """What ``embedder`` is when the settings do not say."""
        return None


class GigaChatSettings(ProviderBlock):
    """GigaChat, by authorization keys, users, ready tokens or a client certificate, or by what its
    callers bring.
    """

    kind: Literal["gigachat"]
    """`gigachat`."""
    base_url: WebAddress = GIGACHAT_URL
    """Address of the API, version included."""
    auth_url: WebAddress = GIGACHAT_AUTH_URL
    """Address that turns authorization keys into access tokens."""
    credentials: GigaChatCredentials = ()
    """Secrets to sign with, each as `KEY`, `KEY:SCOPE`, `user:NAME:PASSWORD` or `token:TOKEN`;
    requests are spread over all of them."""
    scope: Scope = PERSONAL_SCOPE
    """Contract of the credentials that name none; also written as `PERS`, `B2B` or `CORP`."""
    access_token: Secret | None = None
    """A ready access token; it cannot be renewed, so it serves for half an hour at most."""
    user: Password | None = None
    """User to sign in as, on an installation that takes passwords; needs `password` and
    `base_url`."""
    password: Password | None = None
    """Password of `user`."""
    callers_credentials: bool = False
    """Callers may bring a GigaChat credential of their own where their key stands
    (`giga-cred-KEY[:SCOPE]`, `giga-auth-TOKEN`, `giga-user-NAME:PASSWORD`); their calls are signed
    with it alone."""
    callers_kept: int = Field(default=32, ge=1, le=100_000)
    """Credentials of callers that are kept while they have no request under way, each with its
    access token; the least recently used one goes first."""
    callers_idle: Seconds = 1800
    """Seconds after its last request at which a caller's credential is forgotten."""
    api: Literal["v1", "v2"] = "v1"
    """Version of the chat API: `v2` runs several tool calls at once and has built-in tools."""
    schema_level: Literal["full", "reduced", "minimal"] = "reduced"
    """How much JSON Schema functions keep: `full` sends it as it came, `reduced` without what
    GigaChat is seen to refuse (references, unions and more), `minimal` types and texts only."""
    structured_output: Literal["auto", "native", "function"] = "auto"
    """How `json_schema` is kept: by the model's own means (`native`), by a function that it has to
    call (`function`), or by what the model is known to have (`auto`)."""
    default_max_tokens: int | None = Field(default=None, ge=1, le=2_147_483_647)
    """Output limit of requests that name none; unset leaves it to the model."""
    default_reasoning_effort: Literal["low", "medium", "high"] | None = None
    """Effort of requests that name none, where the model reasons; unset leaves it to the model."""
    reasoning: bool = True
    """`false` leaves out every `reasoning_effort`, whatever the model."""
    session_ids: bool = True
    """Send the same `X-Session-ID` with all requests of one conversation, which GigaChat's prompt
    cache goes by."""

    @property
    def usual_headers(self) -> tuple[str, ...]:
        """What GigaChat's own SDK may send."""
        return GIGACHAT_HEADERS

    @property
    def usual_in_flight(self) -> int:
        """What fits ``scope``."""
        return _usual_in_flight(self.scope)

    @property
    def has_address(self) -> bool:
        """``base_url`` was chosen, not left at the public installation."""
        return "base_url" in self.model_fields_set

    def in_flight_for(self, scope: str) -> int | None:
        """Calls in flight on a credential of ``scope``; ``None`` means no limit."""
        asked = self.limits.in_flight
        return _usual_in_flight(scope or self.scope) if asked is None else asked or None

    @property
    def usual_embedder(self) -> str:
        """The one with the longest context."""
        return "EmbeddingsGigaR"


def _usual_in_flight(scope: str) -> int:
    """GigaChat runs one request at a time for a person and ten for a company."""
    return 1 if scope == PERSONAL_SCOPE else 10


class OpenAICompatibleSettings(ProviderBlock):
    """Any server that speaks OpenAI's Chat Completions."""

    kind: Literal["openai_compatible"]
    """`openai_compatible`."""
    base_url: WebAddress
    """Address of the API, as in `http://127.0.0.1:11434/v1`."""
    api: Literal["chat"] = "chat"
    """Which of OpenAI's APIs to use."""


class AnthropicSettings(ProviderBlock):
    """Claude from Anthropic, by an API key or, after `bearer:`, an access token."""

    kind: Literal["anthropic"]
    """`anthropic`."""
    base_url: WebAddress = ANTHROPIC_URL
    """Address of the API, with or without `/v1`."""
    version: str = Field(default="2023-06-01", pattern=r"^\d{4}-\d{2}-\d{2}$")
    """Version of the API, sent as `anthropic-version`."""
    betas: Names = ()
    """Features that are not yet for everybody, sent as `anthropic-beta`."""


PROVIDER_KINDS: Final[Mapping[str, type[ProviderBlock]]] = {
    "anthropic": AnthropicSettings,
    "gigachat": GigaChatSettings,
    "openai_compatible": OpenAICompatibleSettings,
}

ProviderSettings = Annotated[
    AnthropicSettings | GigaChatSettings | OpenAICompatibleSettings, Field(discriminator="kind")
]


class ModelSettings(Block):
    """An alias: a model name of your own. One `*` in it stands for any text: `gpt-*`, `*`."""

    targets: Annotated[Names, Field(min_length=1)]
    """What to try, best first, each as `provider/model`; a `*` in it is what the alias' `*` stands
    for."""


class Settings(Block):
    """The whole configuration."""

    server: ServerSettings = ServerSettings()
    """See `[server]`."""
    log: LogSettings = LogSettings()
    """See `[log]`."""
    traffic_log: TrafficLogSettings = TrafficLogSettings()
    """See `[traffic_log]`."""
    queue: QueueSettings = QueueSettings()
    """See `[queue]`."""
    retry: RetrySettings = RetrySettings()
    """See `[retry]`."""
    media: MediaSettings = MediaSettings()
    """See `[media]`."""
    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    """See `[providers.NAME]`; the name is free and appears in `provider/model`."""
    models: Mapping[str, ModelSettings] = Field(default_factory=dict)
    """See `[models.NAME]`."""

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but should be known: sentences for the log and the status page."""
        return self._warnings


_TABLES: Final[Mapping[str, type[Block]]] = {
    "server": ServerSettings,
    "log": LogSettings,
    "traffic_log": TrafficLogSettings,
    "queue": QueueSettings,
    "retry": RetrySettings,
    "media": MediaSettings,
    "timeouts": TimeoutSettings,
    "limits": LimitSettings,
}


def block_at(place: Place, kind: str) -> type[Block] | None:
    """The model of the table at ``place``, which is of provider ``kind`` if inside a provider."""
    match place:
        case ():
            return Settings
        case ("providers", _):
            return PROVIDER_KINDS.get(kind)
        case ("models", _):
            return ModelSettings
        case (*_, str(last)):
            return _TABLES.get(last)
    return None


def with_warnings(settings: Settings, warnings: tuple[str, ...]) -> Settings:
    """The same settings, which say ``warnings`` about themselves."""
    copy = settings.model_copy()
    copy._warnings = warnings  # noqa: SLF001 - a private attribute is set by this module alone
    return copy
