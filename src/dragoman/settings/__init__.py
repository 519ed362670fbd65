"""What the gateway can be told, and whether it makes sense. Asks nothing of the environment.

``tree`` has the models, ``Settings`` at the root; ``values`` single values and how they are
checked; ``checks`` what does not go together; ``draft`` turns gathered values into a tree and
reports every mistake together. Where values come from (file, ``.env``, environment, flags) is the
affair of ``dragoman.settings_sources``. Only ``app`` and ``cli`` see the tree: everything else is
handed the few values that it needs.
"""

from dragoman.settings.draft import SettingsError
from dragoman.settings.providers import (
    GigaChatSettings,
    OpenAICompatibleSettings,
    ProviderSettings,
    TimeoutSettings,
)
from dragoman.settings.tree import LogSettings, ModelSettings, ServerSettings, Settings
from dragoman.settings.values import Mistake

__all__ = [
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
]
