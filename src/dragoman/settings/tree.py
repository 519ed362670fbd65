"""The tree: every table of ``dragoman.toml`` as a frozen model.

The text under a field says what it means, with its unit and what its extremes do; the reference
in ``docs/settings.md`` and the remedies in messages are taken from it. ``PROVIDER_KINDS`` lists
the kinds of providers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr

from dragoman.settings.providers import (
    PROVIDER_KINDS,
    Block,
    LimitSettings,
    ProviderSettings,
    TimeoutSettings,
)
from dragoman.settings.values import (
    ExistingFile,
    Names,
    Place,
    Seconds,
    Secret,
    Secrets,
)

RESERVED_NAMES: Final = frozenset(
    [
        "admin",
        "health",
        "me",
        "metrics",
        "models",
        "proxy",
        "ready",
        "status",
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
    {"ca_bundle", "client_certificate", "client_key", "tls_certificate", "tls_key"}
)
"""Fields that name a file; a relative path counts from the file that the setting stands in."""


class ServerSettings(Block):
    """Where the gateway listens and whom it lets in."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but this machine's own needs `api_keys`."""
    port: int = Field(default=8090, ge=0, le=65_535)
    """TCP port; 0 takes a free one."""
    api_keys: Secrets = ()
    """Keys that clients must show; empty lets everybody in who reaches the port."""
    insecure_public: bool = False
    """Listen on a public address although no client has to show a key."""
    container: bool = False
    """The process runs in a container, where publishing the port is the decision; set by
    `DRAGOMAN_CONTAINER=1`."""
    max_body_mb: float = Field(default=32, gt=0, le=1024)
    """Largest request body, in megabytes of 1,048,576 bytes; a larger one is refused with 413."""
    http: Literal["callbacks", "asgi"] = "callbacks"
    """How the client API is served: `callbacks` is the fast way, `asgi` the plain one to fall
    back to."""
    keep_alive: Seconds = 75
    """Seconds that an idle client connection is kept open."""
    header_timeout: Seconds = 15
    """Seconds in which a request's headers must have arrived."""
    body_timeout: Seconds = 120
    """Seconds in which a request's body must have arrived."""
    shutdown_grace: float = Field(default=30, ge=0, le=3600)
    """Seconds that running requests get to finish after SIGTERM; 0 ends them at once."""
    api_by_path: bool = False
    """The version in a path (`/v1/...`, `/v2/...`) chooses the version of GigaChat's chat API;
    paths without one leave it to the provider's `api`."""
    tls_certificate: ExistingFile | None = None
    """PEM file with the certificate chain; with it the gateway serves HTTPS."""
    tls_key: ExistingFile | None = None
    """PEM file with the certificate's private key."""
    tls_key_password: Secret | None = None
    """Password of `tls_key`."""

    @property
    def max_body_bytes(self) -> int:
        """``max_body_mb`` in bytes."""
        return int(self.max_body_mb * 1_048_576)

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach ``host``."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


class LogSettings(Block):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe record that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`console` for people, `json` for machines, `auto` chooses by whether standard error is a
    terminal."""
    requests: Literal["all", "errors", "none"] = "all"
    """Which requests get a line of their own."""


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


class MediaSettings(Block):
    """Pictures, documents and recordings for providers that want them uploaded (GigaChat)."""

    images: bool = True
    """Take pictures."""
    documents: bool = True
    """Take documents."""
    audio: bool = True
    """Take recordings."""
    max_image_mb: float = Field(default=15, gt=0, le=1024)
    """Largest picture, in megabytes of 1,048,576 bytes."""
    max_audio_mb: float = Field(default=35, gt=0, le=1024)
    """Largest recording, in megabytes."""
    max_document_mb: float = Field(default=40, gt=0, le=1024)
    """Largest document, in megabytes."""
    max_total_mb: float = Field(default=80, gt=0, le=1024)
    """All pictures and recordings of a request together, in megabytes."""
    images_per_message: int = Field(default=1, ge=1, le=100)
    """Pictures in one message."""
    images_per_request: int = Field(default=10, ge=1, le=100)
    """Pictures in a whole request, its history included."""
    max_megapixels: float = Field(default=40, gt=0, le=80)
    """Largest picture that is converted to another format, in millions of pixels."""
    keep: Seconds = 3600
    """Seconds that an uploaded file is used again for the same caller before it is deleted."""
    kept_files: int = Field(default=1000, ge=1, le=100_000)
    """Uploaded files that one provider keeps at a time; the least recently used goes first."""
    fetch: bool = True
    """Fetch media that a caller gives by URL."""
    fetch_timeout: Seconds = 10
    """Seconds to fetch one of them, redirects included."""
    fetch_redirects: int = Field(default=3, ge=0, le=10)
    """Redirects that are followed; each is checked like a new URL."""
    fetch_hosts: Names = ()
    """The only hosts to fetch from, as `example.org` or `*.example.org`; empty allows all."""
    allow_private: bool = False
    """Fetch also from addresses that are not public: callers can then reach what this machine can
    reach."""


class ModelSettings(Block):
    """An alias: a model name of your own."""

    targets: Annotated[Names, Field(min_length=1)]
    """What to try, best first, each as `provider/model`."""


class Settings(Block):
    """The whole configuration."""

    server: ServerSettings = ServerSettings()
    """See `[server]`."""
    log: LogSettings = LogSettings()
    """See `[log]`."""
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
