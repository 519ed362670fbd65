"""What in the settings does not go together, and what is allowed but should be known.

Both are pure questions about a finished tree. ``contradictions`` stop the start, ``warnings``
are said on the log, by ``dragoman check`` and on the status page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from dragoman.settings.server import ServerSettings
from dragoman.settings.tree import (
    RESERVED_NAMES,
    AnthropicSettings,
    GigaChatSettings,
    ProviderBlock,
    Settings,
)
from dragoman.settings.values import Mistake, dotted

_PROVIDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_OUR_HEADERS: Final = frozenset(
    [
        "api-key",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-api-key",
        "x-goog-api-key",
    ]
)
_NEVER_PASSED: Final = _OUR_HEADERS | {
    "accept",
    "accept-encoding",
    "content-encoding",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "user-agent",
    "x-dragoman-on-unsupported",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - compared, not bound


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A remedy for a name that does not exist."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known))}" if known else "remove it"


def contradictions(settings: Settings, provider_names: Collection[str]) -> Iterator[Mistake]:
    """Everything that cannot work; ``provider_names`` holds also the providers that could not be
    read, so that one slip is not reported twice.
    """
    yield from _server(settings.server)
    if not provider_names:
        yield Mistake(
            ("providers",),
            "no provider is configured, so there is nothing to serve",
            "set GIGACHAT_CREDENTIALS, or write a [providers.NAME] table into dragoman.toml; "
            "`dragoman demo` needs neither",
        )
    for name, provider in settings.providers.items():
        yield from _provider(name, provider)
        if is_own_address(provider, settings.server):
            yield Mistake(
                ("providers", name, "base_url"),
                "this is the gateway's own address, so each request would go round in circles",
                "give the provider's address; clients are what should point at the gateway",
            )
    yield from _aliases(settings, provider_names)


def is_own_address(provider: ProviderBlock, server: ServerSettings) -> bool:
    """A call to ``provider`` would come back to this gateway."""
    parts = urlsplit(str(getattr(provider, "base_url", "")))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    own_hosts = {server.host.strip("[]"), *_LOOPBACK}
    return server.port != 0 and port == server.port and parts.hostname in own_hosts


def warnings(settings: Settings) -> Iterator[str]:
    """What is allowed but should be known."""
    server = settings.server
    if not server.is_loopback and not server.api_keys:
        yield (
            f"server.host: everybody who reaches {server.host}:{server.port} can use your "
            "credentials; set server.api_keys"
        )
    if settings.media.allow_private:
        yield (
            "media.allow_private: callers can make the gateway fetch from this machine and its"
            " network; leave it out unless you trust them all"
        )
    if "*" in server.cors_origins and not server.api_keys:
        yield (
            "server.cors_origins: every web page that a browser on your network opens can use your "
            "credentials; name the origins or set server.api_keys"
        )
    for name, provider in settings.providers.items():
        path = dotted(("providers", name))
        if not provider.verify_tls:
            yield (
                f"{path}.verify_tls: the provider's certificate is not checked, so anybody on the "
                "way can read and change the traffic; give ca_bundle instead"
            )
        address = urlsplit(str(getattr(provider, "base_url", "")))
        if address.scheme == "http" and address.hostname not in _LOOPBACK and _signs(provider):
            yield f"{path}.base_url: credentials travel unencrypted over http to {address.hostname}"
        if isinstance(provider, GigaChatSettings) and provider.access_token is not None:
            yield (
                f"{path}.access_token: it cannot be renewed and ends within half an hour; give "
                "credentials instead"
            )
        if isinstance(provider, GigaChatSettings) and provider.callers_credentials:
            yield from _beside_callers(path, provider, server)


def _signs(provider: ProviderBlock) -> bool:
    """Secrets go out with its calls."""
    others = ("access_token", "password", "callers_credentials")
    return bool(provider.credentials) or any(getattr(provider, name, None) for name in others)


def _beside_callers(path: str, provider: GigaChatSettings, server: ServerSettings) -> Iterator[str]:
    has_own = provider.credentials or provider.access_token or provider.user
    if has_own and not server.api_keys and not server.is_loopback:
        yield (
            f"{path}.callers_credentials: who brings no credential is served with the gateway's "
            "own; set server.api_keys, or leave credentials out, if that is not meant"
        )
    if provider.client_certificate:
        yield (
            f"{path}.client_certificate: it is shown for the gateway's own calls only, not for "
            "those of callers who bring credentials"
        )


def _server(server: ServerSettings) -> Iterator[Mistake]:
    let_in = server.api_keys or server.insecure_public or server.container
    if not server.is_loopback and not let_in:
        yield Mistake(
            ("server", "host"),
            f"{server.host} can be reached by others, who could then spend your credentials",
            "set server.api_keys (or --api-key), listen on 127.0.0.1, or say --insecure-public",
        )
    if server.tls_key is not None and server.tls_certificate is None:
        yield Mistake(
            ("server", "tls_key"),
            "a private key without a certificate",
            "set server.tls_certificate as well",
        )


def _provider(name: str, provider: ProviderBlock) -> Iterator[Mistake]:
    place = ("providers", name)
    if not _PROVIDER_NAME.match(name):
        yield Mistake(
            place,
            "a provider's name holds letters, digits, dots, dashes and underscores only",
            "rename the table",
        )
    if name.lower() in RESERVED_NAMES:
        yield Mistake(place, f"/{name}/ is a path of the gateway itself", "rename the table")
    if provider.client_key is not None and provider.client_certificate is None:
        yield Mistake(
            (*place, "client_key"),
            "a private key without a certificate",
            "set client_certificate as well",
        )
    for header in provider.headers:
        if not _HEADER_NAME.match(header):
            yield Mistake((*place, "headers", header), "this is no header name", "correct it")
        elif header.lower() in _OUR_HEADERS:
            yield Mistake(
                (*place, "headers", header),
                "the gateway writes this header itself",
                "remove it; secrets go to credentials",
            )
    for header in provider.pass_headers or ():
        if not _HEADER_NAME.match(header) or header.lower() in _NEVER_PASSED:
            yield Mistake(
                (*place, "pass_headers"),
                f"`{header}` cannot be passed on",
                "remove it; keys, cookies and what belongs to one connection never pass",
            )
    yield from _proofs(place, provider)


def _proofs(place: tuple[str, str], provider: ProviderBlock) -> Iterator[Mistake]:
    """What calls could not be signed without."""
    if isinstance(provider, GigaChatSettings):
        yield from _gigachat(place, provider)
    if isinstance(provider, AnthropicSettings) and not provider.credentials:
        yield Mistake(
            (*place, "credentials"),
            "there is nothing to sign calls with",
            'write credentials = ["env:ANTHROPIC_API_KEY"] and set that variable to a key from '
            "Anthropic's console",
        )


def _gigachat(place: tuple[str, str], provider: GigaChatSettings) -> Iterator[Mistake]:
    if not (
        provider.credentials
        or provider.access_token
        or provider.user
        or provider.password
        or provider.client_certificate
        or provider.callers_credentials
    ):
        yield Mistake(
            (*place, "credentials"),
            "there is nothing to sign calls with",
            'write credentials = ["env:GIGACHAT_CREDENTIALS"] and set that variable to the '
            "authorization key from GigaChat's cabinet",
        )
    if (provider.user is None) != (provider.password is None):
        yield Mistake((*place, "user"), "user and password belong together", "set both")
    if provider.user is not None and ":" in provider.user.get_secret_value():
        yield Mistake((*place, "user"), "no user's name holds a colon", "correct it")
    written = [secret.get_secret_value() for secret in provider.credentials]
    signs_in = provider.user is not None or any(one.startswith("user:") for one in written)
    if signs_in and not provider.has_address:
        yield Mistake(
            (*place, "base_url"),
            "the public installation takes no user and password",
            "set base_url to the installation that they are for",
        )


def _aliases(settings: Settings, provider_names: Collection[str]) -> Iterator[Mistake]:
    for alias, model in settings.models.items():
        place = ("models", alias)
        if alias.partition("/")[0] in provider_names and "/" in alias:
            yield Mistake(
                place, "this name already means a model of that provider", "choose another name"
            )
        if alias.count("*") > 1:
            yield Mistake(place, "the name holds more than one `*`", "leave one of them")
        for index, target in enumerate(model.targets):
            provider, slash, name = target.partition("/")
            if target.count("*") > alias.count("*") or "*" in provider:
                yield Mistake(
                    (*place, "targets", index),
                    f"`{target}` holds a `*` that stands for nothing",
                    "name the model; one `*` in it may stand for what the alias' `*` stands for",
                )
                continue
            if not (provider and slash and name):
                yield Mistake(
                    (*place, "targets", index),
                    f"`{target}` is no target",
                    "write provider/model, as in gigachat/GigaChat-2-Max",
                )
            elif provider not in provider_names:
                yield Mistake(
                    (*place, "targets", index),
                    f"there is no provider `{provider}`",
                    did_you_mean(provider, provider_names),
                )
