"""The model that a caller names -> the targets to try, best first.

A name is, in this order: an alias from the settings; ``provider/model``; what an alias with a
``*`` matches (of several, the one with the most other characters); a model that exactly one
provider is known to serve. What providers serve comes from their settings or is asked of
them at start and kept up to date by ``learn``.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from dragoman.errors import InvalidRequest, ModelNotFound, ModelsUnknown


class Route(Struct, frozen=True):
    """One provider and the model's name there."""

    provider: str
    model: str


class Router:
    """Names to routes. Cheap: one dictionary look-up for every name seen before."""

    def __init__(
        self,
        aliases: Mapping[str, Sequence[Route]],
        providers: Sequence[str],
        default: str | None = None,
    ) -> None:
        """``providers`` in the order of the settings; ``default``: the model of who names none."""
        self._default = default
        self._aliases = {name: tuple(routes) for name, routes in aliases.items() if "*" not in name}
        self._patterns: list[tuple[str, str, tuple[Route, ...]]] = []
        """Beginning, end and routes of aliases with a ``*``, most exact first."""
        for name in sorted(aliases, key=len, reverse=True):
            beginning, star, end = name.partition("*")
            if star:
                self._patterns.append((beginning, end, tuple(aliases[name])))
        self._served: dict[str, tuple[str, ...] | None] = dict.fromkeys(providers)
        """Provider -> its models; ``None`` while nobody has been able to ask it."""
        self._by_model: dict[str, list[str]] = {}

    def learn(self, provider: str, models: Sequence[str]) -> None:
        """``provider`` serves exactly ``models``."""
        self._served[provider] = tuple(models)
        self._by_model = {}
        for name, served in self._served.items():
            for model in served or ():
                self._by_model.setdefault(model, []).append(name)

    def default(self) -> str:
        """The model of requests that name none. Raises ``InvalidRequest`` if they have to."""
        if self._default is None:
            raise InvalidRequest(
                "Missing required parameter: 'model'. GET /v1/models lists what is served.",
                param="model",
                code="missing_required_parameter",
            )
        return self._default

    def routes(self, name: str, *, only: str | None = None) -> tuple[Route, ...]:
        """Where ``name`` may be asked. ``only`` limits the choice to one provider (the paths
        ``/{provider}/v1/...``). Raises
        ``ModelNotFound``, ``InvalidRequest`` or ``ModelsUnknown``.
        """
        if only is not None:
            return self._of_provider(name, only)
        alias = self._aliases.get(name)
        if alias is not None:
            return alias
        provider, slash, model = name.partition("/")
        if slash and model and provider in self._served:
            return (Route(provider, model),)
        if self._patterns and (matched := self._matched(name)):
            return matched
        owners = self._by_model.get(name)
        if owners is None:
            unasked = [known for known, served in self._served.items() if served is None]
            if len(self._served) == 1 and unasked:
                return (Route(unasked[0], name),)
            if unasked:
                raise ModelsUnknown(
                    f"The model `{_shown(name)}` is not known yet, because {' and '.join(unasked)}"
                    " could not be asked so far. Try again, or name it as `provider/model`.",
                    param="model",
                    retry_after=1.0,
                )
            raise self._unknown(name)
        if len(owners) > 1:
            raise _ambiguous(name, owners)
        return (Route(owners[0], name),)

    def routes_among(
        self, providers: Collection[str], name: str, *, only: str | None = None
    ) -> tuple[Route, ...]:
        """As ``routes``, for a caller whom ``providers`` alone may serve. What they are known to
        serve is a hint and no limit: the caller's own account may have other models.
        """
        provider, slash, model = name.partition("/")
        found = self._aliases.get(name, ())
        if only is not None:
            found = self._of_provider(name, only)
        elif not found and slash and model and provider in self._served:
            found = (Route(provider, model),)
        elif not found:
            found = self._matched(name) or self._guessed(providers, name)
        allowed = tuple(route for route in found if route.provider in providers)
        if not allowed:
            raise InvalidRequest(
                f"The model `{_shown(name)}` is not served with a credential of the caller's own."
                f" Ask for a model of {' or '.join(providers)}, or send the request without that"
                " credential.",
                param="model",
                code="model_not_found",
            )
        return allowed

    def _guessed(self, providers: Collection[str], name: str) -> tuple[Route, ...]:
        """A bare model name: where it is known, or the only place where it can be."""
        known = [one for one in providers if name in (self._served.get(one) or ())]
        candidates = known or list(providers)
        if len(candidates) > 1:
            raise _ambiguous(name, candidates)
        return tuple(Route(one, name) for one in candidates)

    def names_among(self, served: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """As ``names``, for a caller to whom each provider of ``served`` serves those models."""
        listed = {
            name: route.provider
            for name, routes in self._aliases.items()
            for route in routes[::-1]
            if route.provider in served
        }
        for provider, models in served.items():
            for model in models:
                unique = sum(model in others for others in served.values()) == 1
                plain = unique and model not in self._aliases
                listed.setdefault(model if plain else f"{provider}/{model}", provider)
        return list(listed.items())

    def names(self) -> list[tuple[str, str]]:
        """What to list for callers: (name, owner), aliases first."""
        listed = {name: routes[0].provider for name, routes in self._aliases.items() if routes}
        for provider, served in self._served.items():
            for model in served or ():
                unique = len(self._by_model[model]) == 1 and model not in self._aliases
                listed.setdefault(model if unique else f"{provider}/{model}", provider)
        return list(listed.items())

    def _matched(self, name: str) -> tuple[Route, ...]:
        """The routes of the first pattern that ``name`` fits, its text in place of their ``*``."""
        for beginning, end, routes in self._patterns:
            size = len(beginning) + len(end)
            if len(name) >= size and name.startswith(beginning) and name.endswith(end):
                text = name[len(beginning) : len(name) - len(end)]
                return tuple(
                    Route(route.provider, route.model.replace("*", text)) for route in routes
                )
        return ()

    def _of_provider(self, name: str, provider: str) -> tuple[Route, ...]:
        own = tuple(route for route in self._aliases.get(name, ()) if route.provider == provider)
        if own:
            return own
        return (Route(provider, name.removeprefix(f"{provider}/")),)

    def _unknown(self, name: str) -> ModelNotFound:
        known = [listed for listed, _ in self.names()]
        near = difflib.get_close_matches(name[:200], known, n=3)
        hint = f" Did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else ""
        return ModelNotFound(
            f"The model `{_shown(name)}` does not exist here.{hint} GET /v1/models lists what does;"
            " `provider/model` reaches a model that is not listed.",
            param="model",
            code="model_not_found",
        )


def _ambiguous(name: str, owners: Sequence[str]) -> InvalidRequest:
    spelled = ", ".join(f"{owner}/{_shown(name)}" for owner in owners)
    return InvalidRequest(
        f"The model `{_shown(name)}` is served by several providers: ask for one of {spelled}.",
        param="model",
        code="ambiguous_model",
    )


def _shown(name: str) -> str:
    """``name`` short enough for a message."""
    return name if len(name) <= 100 else name[:100] + "..."
