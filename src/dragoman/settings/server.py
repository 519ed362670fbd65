"""``[server]``: where the gateway listens, whom it lets in, what it takes."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field

from dragoman.settings.block import Block
from dragoman.settings.values import ExistingFile, Names, Seconds, Secret, Secrets


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

    default_model: str | None = Field(default=None, min_length=1)
    """Model of requests that name none; unset refuses them."""
    cors_origins: Names = ()
    """Web pages that may call the gateway from a browser, as `https://app.example`; `*` means all,
    none means that browsers keep the answers from every page."""
    cors_methods: Names = ("*",)
    """Methods that those pages may use."""
    cors_headers: Names = ("*",)
    """Headers that those pages may send."""
    cors_credentials: bool = False
    """Those pages may send cookies and logins of the browser along; the gateway uses neither."""
    any_prefix: bool = False
    """Whatever stands before a path that the gateway knows is passed over, as in
    `/my/proxy/v1/chat/completions`."""

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
