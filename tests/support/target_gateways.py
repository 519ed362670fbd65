"""Gateways in front of the simulators, served in both ways: settings that tests share."""

QUIET = """
[log]
level = "error"
requests = "none"
[queue]
max_wait = 5
[providers.gigachat.limits]
in_flight = 0
"""


def served_by(http):
    """``QUIET``, with the client API served by ``callbacks`` or ``asgi``."""
    return f'{QUIET}[server]\nhttp = "{http}"\n'


def enable_all_keys(gateway):
    """Every credential is in use again, whatever the last test did to it."""

    def enable():
        for broker in gateway.house.brokers.values():
            for key in broker.snapshot().keys:
                broker.enable(key.id)

    gateway.ask_loop(enable)
