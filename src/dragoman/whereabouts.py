"""What clients of this gateway should be set to: address, key and model, by its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dragoman.connect.catalogue import Endpoint
from dragoman.connect.tasks import root_of
from dragoman.settings import Settings, SettingsError
from dragoman.settings.addresses import address_for_clients
from dragoman.settings_sources import load, load_server

ANY_KEY: Final = "anything"
"""What clients may show where no key is asked for; most insist on showing one."""
USUAL_MODEL: Final = "GigaChat-2-Max"
"""For GigaChat, whose settings seldom name a model; the demo has it too."""


def endpoint(
    url: str | None, key: str | None, model: str | None, config: Path | None, env_file: Path | None
) -> tuple[Endpoint, str]:
    """What was given, the rest from the settings; and what should be known about the rest.

    Settings that cannot be used (this may not be the gateway's machine) leave the defaults. Raises
    ``CannotConnect`` if ``url`` is no address.
    """
    remark = ""
    if url is None or key is None or model is None:
        try:
            settings = load({}, config=config, env_file=env_file)
            server = settings.server
            model = model or _model(settings)
            keys = server.api_keys
            key = key or (keys[0].get_secret_value() if keys else None)
        except SettingsError:
            server = load_server(config=config, env_file=env_file)
            remark = (
                "there are no settings here that the gateway could run with (`dragoman check` "
                "says why), so these are the usual ones; --url, --key and --model say otherwise"
            )
        url = url or address_for_clients(server)
    return Endpoint(root_of(url), key or ANY_KEY, model or USUAL_MODEL), remark


def _model(settings: Settings) -> str | None:
    """An alias if there is one; otherwise the first model that the settings name."""
    named = [(alias, alias) for alias in settings.models]
    for name, provider in settings.providers.items():
        usual = (USUAL_MODEL,) if provider.kind == "gigachat" else ()
        named += [(model, f"{name}/{model}") for model in provider.models or usual]
    if not named:
        return None
    short, whole = named[0]
    is_clear = [model for model, _ in named].count(short) == 1
    return short if is_clear else whole
