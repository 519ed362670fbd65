"""What the gateway can be told, and whether it makes sense. Asks nothing of the environment.

``tree`` has the models, ``Settings`` at the root (``server`` and ``logs`` hold their own tables);
``values`` single values and how they are checked; ``checks`` what does not go together; ``draft``
turns gathered values into a tree and reports every mistake together. Where values come from (file,
``.env``, environment, flags) is the affair of ``dragoman.settings_sources``. Only ``app``, ``cli``
and ``compat`` see the tree: everything else is handed the few values that it needs.
"""

from dragoman.settings.draft import SettingsError
from dragoman.settings.logs import LogSettings, TrafficLogSettings
from dragoman.settings.server import ServerSettings
from dragoman.settings.tree import (
    AnthropicSettings,
    GigaChatSettings,
    ModelSettings,
    OpenAICompatibleSettings,
    ProviderSettings,
    Settings,
    TimeoutSettings,
)
from dragoman.settings.values import Mistake

__all__ = [
    "AnthropicSettings",
    "GigaChatSettings",
    "LogSettings",
    "Mistake",
    "ModelSettings",
    "OpenAICompatibleSettings",
    "ProviderSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TimeoutSettings",
    "TrafficLogSettings",
]
