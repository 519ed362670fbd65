"""``DRAGOMAN_CONTAINER=1``: reachable from outside of the container unless told otherwise."""

import pytest

from dragoman.settings.addresses import address_for_clients
from dragoman.settings.tree import ServerSettings
from dragoman.settings_sources import load, load_server

INSIDE = {"GIGACHAT_CREDENTIALS": "a2V5OnNlY3JldA==", "DRAGOMAN_CONTAINER": "1"}


def settings(folder, environ, flags=None):
    return load(flags or {}, environ={**INSIDE, **environ}, cwd=folder)


def test_every_address_is_listened_on_and_warned_about(tmp_path):
    found = settings(tmp_path, {})
    assert found.server.host == "0.0.0.0"
    (warning,) = found.warnings
    assert "everybody who reaches" in warning


@pytest.mark.parametrize("name", ["GPT2GIGA_HOST", "BIND_ADDRESS"])
@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
def test_a_variable_written_for_outside_of_a_container_does_not_lock_it(tmp_path, name, address):
    (tmp_path / ".env").write_text(f"{name}={address}\n")
    found = settings(tmp_path, {})
    assert found.server.host == "0.0.0.0"
    assert any(name in warning for warning in found.warnings)


def test_such_a_variable_may_choose_another_public_address(tmp_path):
    assert settings(tmp_path, {"GPT2GIGA_HOST": "10.0.0.7"}).server.host == "10.0.0.7"


def test_our_own_settings_are_taken_at_their_word(tmp_path):
    own = {"DRAGOMAN_SERVER__HOST": "127.0.0.1", "GPT2GIGA_HOST": "localhost"}
    assert settings(tmp_path, own).server.host == "127.0.0.1"
    assert settings(tmp_path, {}, {"--host": "127.0.0.1"}).server.host == "127.0.0.1"
    (tmp_path / "dragoman.toml").write_text('[server]\nhost = "127.0.0.1"\n')
    assert settings(tmp_path, {}).server.host == "127.0.0.1"


@pytest.mark.parametrize("value", ["0", "false", "", "no"])
def test_outside_of_a_container_nothing_changes(tmp_path, value):
    found = settings(tmp_path, {"DRAGOMAN_CONTAINER": value, "GPT2GIGA_HOST": "localhost"})
    assert found.server.host == "localhost"


def test_the_server_alone_can_be_read_from_settings_that_are_wrong_elsewhere(tmp_path):
    (tmp_path / "dragoman.toml").write_text('[server]\nport = 81\n[providers.x]\nkind = "gone"\n')
    assert load_server(environ={}, cwd=tmp_path).port == 81
    (tmp_path / "dragoman.toml").write_text('[server]\nport = "many"\n')
    assert load_server(environ={}, cwd=tmp_path).port == 8090


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8090"),
        ("0.0.0.0", "http://127.0.0.1:8090"),
        ("::", "http://[::1]:8090"),
        ("[::1]", "http://[::1]:8090"),
        ("gateway.example", "http://gateway.example:8090"),
    ],
)
def test_clients_on_this_machine_are_told_an_address_that_they_can_call(host, address):
    assert address_for_clients(ServerSettings(host=host)) == address
