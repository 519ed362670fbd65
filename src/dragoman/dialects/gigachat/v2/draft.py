"""A request of version 2 under construction: what the rules of ``fates`` write into."""

from __future__ import annotations

from typing import Any

from msgspec import field

from dragoman.dialects.gigachat.draft import Draft as DraftOfV1


class Draft(DraftOfV1):
    """Lives as long as one ``write_request``; the rules that both versions share know the rest."""

    options: dict[str, Any] = field(default_factory=dict)
    """``model_options``."""
    functions: list[dict[str, Any]] = field(default_factory=list)
    """Functions of the caller, for the one entry of ``tools`` that holds them all."""
    built_in: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> settings of the tools that GigaChat runs itself, each an entry of ``tools``."""
    built_in_choice: str = ""
    """The built-in tool that must be used."""
