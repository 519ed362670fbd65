"""Where the gateway listens inside a container.

Nobody but the container itself reaches a loopback address there, and no port is open until it is
published, so that every address is the default. What another program's variable says about the
address (``GPT2GIGA_HOST=localhost`` in an ``.env`` written for outside of a container) would only
lock the gateway in; our own settings and flags are taken at their word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dragoman.settings.draft import Draft, Origin
from dragoman.settings.server import ServerSettings

EVERY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - a container's port is closed until it is published

_HOST: Final = ("server", "host")
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})


def open_container(draft: Draft) -> None:
    """Have the gateway listen on every address if ``server.container`` says so; warn where this is
    not what a variable asks for.
    """
    server = draft.tree.get("server")
    if not isinstance(server, dict) or str(server.get("container")).lower() not in _YES:
        return
    if "host" in server:
        origin = draft.origins[_HOST]
        is_own = origin.is_file or origin.source.startswith(("DRAGOMAN_", "--"))
        if is_own or not ServerSettings(host=str(server["host"])).is_loopback:
            return
        draft.warnings.append(
            f"server.host: {origin.source} names an address that cannot be reached from outside "
            f"of the container; listening on {EVERY_ADDRESS}, DRAGOMAN_SERVER__HOST says otherwise"
        )
    draft.put(_HOST, EVERY_ADDRESS, Origin("DRAGOMAN_CONTAINER", Path()))
