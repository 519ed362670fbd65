"""Builds the porters that take media, one for each provider that wants them uploaded."""

from __future__ import annotations

from typing import Final

from dragoman.canonical.conversation import MediaKind
from dragoman.clock import Clock, TimerWheel
from dragoman.media.limits import MediaLimits
from dragoman.media.loading import Loader
from dragoman.media.luggage import Porter
from dragoman.media.shelf import Shelf
from dragoman.media.tidying import Tidying
from dragoman.providers.base import Hosts, Provider
from dragoman.providers.heads import AGENT
from dragoman.settings.media import MediaSettings
from dragoman.transport.outside import Outside, OutsideRules

_MB: Final = 1_048_576


class Porters:
    """Hires them as they are needed."""

    def __init__(self, chosen: MediaSettings, clock: Clock, wheel: TimerWheel) -> None:
        self._chosen = chosen
        self._clock = clock
        self._limits = _limits(chosen)
        rules = OutsideRules(
            seconds=chosen.fetch_timeout,
            redirects=chosen.fetch_redirects,
            hosts=chosen.fetch_hosts,
            allow_private=chosen.allow_private,
            is_closed=not chosen.fetch,
        )
        self._outside = Outside(rules, wheel=wheel, clock=clock, agent=AGENT)
        self.hired: dict[str, Porter] = {}
        """By label."""

    def hire(self, provider: Provider | Hosts, label: str) -> Porter | None:
        """``None`` for a provider that wants no uploads."""
        store = provider.files
        if store is None:
            return None
        chosen, clock = self._chosen, self._clock
        pixels = int(chosen.max_megapixels * 1_000_000)
        loader = Loader(self._outside, self._limits, store.types, max_pixels=pixels)
        tidying = Tidying(store, clock, label, most=chosen.kept_files)
        shelf = Shelf(clock, tidying.add, keep=chosen.keep, most=chosen.kept_files)
        porter = self.hired[label] = Porter(store, loader, self._limits, shelf, tidying)
        return porter


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
