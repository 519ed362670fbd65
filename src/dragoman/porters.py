"""Builds the porters that take media, one for each provider that wants them uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dragoman.canonical.conversation import MediaKind
from dragoman.clock import Clock, TimerWheel
from dragoman.media.limits import MediaLimits
from dragoman.media.loading import Loader
from dragoman.media.luggage import Porter
from dragoman.media.shelf import Shelf
from dragoman.media.tidying import Tidying
from dragoman.providers.base import Provider
from dragoman.providers.heads import AGENT
from dragoman.settings.tree import MediaSettings
from dragoman.transport.outside import Outside, OutsideRules

_MB: Final = 1_048_576


def porters(
    chosen: MediaSettings, providers: Mapping[str, Provider], clock: Clock, wheel: TimerWheel
) -> dict[str, Porter]:
    """By the provider's name."""
    limits = _limits(chosen)
    rules = OutsideRules(
        seconds=chosen.fetch_timeout,
        redirects=chosen.fetch_redirects,
        hosts=chosen.fetch_hosts,
        allow_private=chosen.allow_private,
        is_closed=not chosen.fetch,
    )
    outside = Outside(rules, wheel=wheel, clock=clock, agent=AGENT)
    made = {}
    for name, provider in providers.items():
        store = provider.files
        if store is None:
            continue
        loader = Loader(
            outside, limits, store.types, max_pixels=int(chosen.max_megapixels * 1_000_000)
        )
        tidying = Tidying(store, clock, name, most=chosen.kept_files)
        shelf = Shelf(clock, tidying.add, keep=chosen.keep, most=chosen.kept_files)
        made[name] = Porter(store, loader, limits, shelf, tidying)
    return made


def _limits(chosen: MediaSettings) -> MediaLimits:
    taken = {
        MediaKind.IMAGE: chosen.images,
        MediaKind.AUDIO: chosen.audio,
        MediaKind.DOCUMENT: chosen.documents,
    }
    return MediaLimits(
        image=int(chosen.max_image_mb * _MB),
        audio=int(chosen.max_audio_mb * _MB),
        document=int(chosen.max_document_mb * _MB),
        total=int(chosen.max_total_mb * _MB),
        images_per_message=chosen.images_per_message,
        images_per_request=chosen.images_per_request,
        kinds=frozenset(kind for kind, is_taken in taken.items() if is_taken),
    )
