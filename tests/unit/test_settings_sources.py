"""Where settings come from, which source wins, and how mistakes are told."""

import pytest

from dragoman.settings import SettingsError
from dragoman.settings_sources import load

KEY = "a2V5OnNlY3JldA=="
GIGACHAT = f'[providers.gigachat]\nkind = "gigachat"\ncredentials = ["{KEY}"]\n'


class House:
    """A working directory with files, an environment and flags."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, environ=None, flags=None, **more):
        return load(flags or {}, environ=environ or {}, cwd=self.folder, **more)

    def mistakes(self, environ=None, flags=None, **more):
        with pytest.raises(SettingsError) as caught:
            self.load(environ, flags, **more)
        return {mistake.path: mistake for mistake in caught.value.mistakes}


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def revealed(secrets):
    return [secret.get_secret_value() for secret in secrets]


def test_each_source_outranks_the_one_below_it(house):
    environ = {"GIGACHAT_CREDENTIALS": KEY}
    assert house.load(environ).server.port == 8090
    house.write("dragoman.toml", "[server]\nport = 1001\n")
    assert house.load(environ).server.port == 1001
    house.write(".env", "DRAGOMAN_SERVER__PORT=1002\n")
    assert house.load(environ).server.port == 1002
    environ["DRAGOMAN_SERVER__PORT"] = "1003"
    assert house.load(environ).server.port == 1003
    assert house.load(environ, {"--port": 1004}).server.port == 1004
    assert house.load(environ, {"--port": None}).server.port == 1003


def test_a_named_file_is_read_from_anywhere(house):
    path = house.write("etc/gateway.toml", GIGACHAT + "[server]\nport = 1005\n")
    assert house.load(config=path).server.port == 1005
    assert house.load({"DRAGOMAN_CONFIG": "etc/gateway.toml"}).server.port == 1005


@pytest.mark.parametrize("what", ["config", "env_file"])
def test_a_named_file_must_exist(house, what):
    environ = {"GIGACHAT_CREDENTIALS": KEY}
    assert "there is no file" in house.mistakes(environ, **{what: house.folder / "no"})[""].wrong


def test_a_file_that_is_no_toml_is_told_with_the_line(house):
    house.write("dragoman.toml", "[server]\nport = = 1\n")
    assert "line 2" in house.mistakes({"GIGACHAT_CREDENTIALS": KEY})[""].wrong


def test_a_file_may_begin_with_a_byte_order_mark(house):
    house.write("dragoman.toml", "\ufeff" + GIGACHAT)
    assert "gigachat" in house.load().providers


def test_one_variable_is_enough_for_gigachat(house):
    provider = house.load({"GIGACHAT_CREDENTIALS": KEY}).providers["gigachat"]
    assert provider.kind == "gigachat"
    assert revealed(provider.credentials) == [KEY]


def test_the_official_sdk_s_variables_configure_gigachat(house):
    bundle = house.write("ca.pem", "x")
    environ = {
        "GIGACHAT_CREDENTIALS": "one,two",
        "GIGACHAT_SCOPE": "GIGACHAT_API_B2B",
        "GIGACHAT_BASE_URL": "https://api.giga.chat/v1/",
        "GIGACHAT_AUTH_URL": "https://auth.example/oauth",
        "GIGACHAT_CA_BUNDLE_FILE": "ca.pem",
        "GIGACHAT_VERIFY_SSL_CERTS": "False",
        "GIGACHAT_MODEL": "GigaChat-2-Max",
    }
    provider = house.load(environ).providers["gigachat"]
    assert revealed(provider.credentials) == ["one", "two"]
    assert provider.scope == "GIGACHAT_API_B2B"
    assert provider.base_url == "https://api.giga.chat/v1"
    assert provider.auth_url == "https://auth.example/oauth"
    assert provider.ca_bundle == bundle
    assert provider.verify_tls is False
    assert provider.models == ("GigaChat-2-Max",)


def test_a_ready_token_is_enough_for_gigachat(house):
    provider = house.load({"GIGACHAT_ACCESS_TOKEN": "t"}).providers["gigachat"]
    assert provider.access_token.get_secret_value() == "t"


def test_two_variables_are_enough_for_an_openai_compatible_server(house):
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "https://far.example/v1"}
    provider = house.load(environ).providers["openai"]
    assert provider.kind == "openai_compatible"
    assert provider.base_url == "https://far.example/v1"
    assert revealed(provider.credentials) == ["sk-1"]


def test_a_client_s_own_variables_do_not_make_the_gateway_call_itself(house):
    environ = {
        "GIGACHAT_CREDENTIALS": KEY,
        "OPENAI_API_KEY": "any",
        "OPENAI_BASE_URL": "http://localhost:8090/v1",
    }
    settings = house.load(environ)
    assert set(settings.providers) == {"gigachat"}
    assert any("OPENAI_BASE_URL" in warning for warning in settings.warnings)


def test_the_sdk_s_variables_add_nothing_to_configured_providers(house):
    house.write("dragoman.toml", GIGACHAT.replace("gigachat]", "mine]"))
    assert set(house.load({"GIGACHAT_CREDENTIALS": "other"}).providers) == {"mine"}


@pytest.mark.parametrize(
    ("environ", "host", "port"),
    [
        ({"PORT": "1"}, "127.0.0.1", 1),
        ({"GPT2GIGA_PORT": "2", "GPT2GIGA_HOST": "localhost"}, "localhost", 2),
        ({"GPT2GIGA_PORT": "2", "PORT": "3"}, "127.0.0.1", 3),
        ({"BIND_ADDRESS": "::1", "GPT2GIGA_HOST": "localhost"}, "::1", 8090),
        ({"PORT": "3", "DRAGOMAN_SERVER__PORT": "4"}, "127.0.0.1", 4),
        ({"GPT2GIGA_PORT": "tcp://10.0.0.1:8090"}, "127.0.0.1", 8090),
        ({"PORT": ""}, "127.0.0.1", 8090),
    ],
)
def test_well_known_names_set_the_address(house, environ, host, port):
    server = house.load({"GIGACHAT_CREDENTIALS": KEY, **environ}).server
    assert (server.host, server.port) == (host, port)


def test_variables_reach_every_depth(house):
    house.write("dragoman.toml", GIGACHAT.replace("gigachat]", "my-giga]"))
    environ = {
        "DRAGOMAN_PROVIDERS__MY_GIGA__TIMEOUTS__FIRST_BYTE": "7",
        "DRAGOMAN_PROVIDERS__MY_GIGA__MODELS": "a, b",
        "DRAGOMAN_SERVER__API_KEYS": '["a", "b"]',
        "DRAGOMAN_MODELS__BEST": '{"targets": ["my-giga/a"]}',
    }
    settings = house.load(environ)
    assert settings.providers["my-giga"].timeouts.first_byte == 7
    assert settings.providers["my-giga"].models == ("a", "b")
    assert revealed(settings.server.api_keys) == ["a", "b"]
    assert settings.models["best"].targets == ("my-giga/a",)


def test_a_provider_called_like_its_kind_need_not_repeat_it(house):
    settings = house.load({"DRAGOMAN_PROVIDERS__GIGACHAT__CREDENTIALS": KEY})
    assert settings.providers["gigachat"].kind == "gigachat"


def test_secrets_come_from_variables_and_files(house):
    house.write("etc/key.txt", "from-file\n")
    path = house.write(
        "etc/dragoman.toml",
        '[providers.gigachat]\ncredentials = ["env:MY_KEYS", "file:key.txt", "plain"]\n'
        '[server]\napi_keys = "env:CLIENTS"\n',
    )
    house.write(".env", "MY_KEYS=a,b\n")
    settings = house.load({"CLIENTS": "c1"}, config=path)
    assert revealed(settings.providers["gigachat"].credentials) == ["a", "b", "from-file", "plain"]
    assert revealed(settings.server.api_keys) == ["c1"]


def test_a_secret_written_into_the_file_is_warned_about_without_being_shown(house):
    house.write("dragoman.toml", GIGACHAT)
    (warning,) = house.load().warnings
    assert warning.startswith("providers.gigachat.credentials")
    assert KEY not in warning


def test_a_secret_in_the_environment_is_no_reason_to_warn(house):
    assert house.load({"GIGACHAT_CREDENTIALS": KEY}).warnings == ()


def test_headers_and_proxies_may_hold_secrets(house):
    house.write(
        "dragoman.toml",
        GIGACHAT.replace(KEY, "env:KEY")
        + 'proxy = "env:PROXY"\n[providers.gigachat.headers]\nx-gate = "env:GATE"\n',
    )
    environ = {"KEY": KEY, "PROXY": "http://u:p@proxy.example:3128", "GATE": "g"}
    provider = house.load(environ).providers["gigachat"]
    assert provider.proxy.get_secret_value() == environ["PROXY"]
    assert provider.headers["x-gate"].get_secret_value() == "g"


def test_a_missing_secret_is_one_mistake_and_no_more(house):
    house.write(
        "dragoman.toml",
        '[server]\nhost = "0.0.0.0"\napi_keys = ["env:NOWHERE"]\n'
        '[providers.gigachat]\ncredentials = ["file:nowhere"]\n',
    )
    mistakes = house.mistakes()
    assert set(mistakes) == {"server.api_keys", "providers.gigachat.credentials"}
    assert "NOWHERE is not set" in mistakes["server.api_keys"].wrong


def test_every_mistake_is_told_at_once_with_its_source(house):
    house.write(
        "dragoman.toml",
        """
        [server]
        prot = 1
        host = "0.0.0.0"
        [log]
        level = "critical"
        [providers.gigachat]
        credentials = ["x"]
        scope = "PERSONAL"
        [providers.other]
        kind = "gigchat"
        [providers.nameless]
        [providers.ollama]
        kind = "openai_compatible"
        [models.best]
        targets = ["gigchat/GigaChat", "other/x"]
        """,
    )
    mistakes = house.mistakes({"PORT": "many"})
    assert set(mistakes) == {
        "server.prot",
        "server.host",
        "server.port",
        "log.level",
        "providers.gigachat.scope",
        "providers.other.kind",
        "providers.nameless.kind",
        "providers.ollama.base_url",
        "models.best.targets[0]",
    }
    assert mistakes["server.prot"].remedy == "did you mean `port`?"
    assert mistakes["server.port"].source == "PORT in the environment"
    assert mistakes["log.level"].source == "dragoman.toml"
    assert "gigachat, openai_compatible" in mistakes["providers.other.kind"].remedy
    assert mistakes["models.best.targets[0]"].remedy == "did you mean `gigachat`?"
    assert "required" in mistakes["providers.ollama.base_url"].wrong


def test_a_wrong_value_of_a_required_setting_is_not_called_missing(house):
    house.write("dragoman.toml", '[providers.x]\nkind = "openai_compatible"\nbase_url = "nope"\n')
    mistakes = house.mistakes()
    assert set(mistakes) == {"providers.x.base_url"}
    assert "no address" in mistakes["providers.x.base_url"].wrong


@pytest.mark.parametrize(
    "text",
    ["server = 5\n", "providers = 5\n", "[providers]\nx = 1\n", 'models = ["a"]\n', "[[server]]\n"],
)
def test_a_value_where_a_table_belongs_is_a_mistake(house, text):
    house.write("dragoman.toml", text)
    assert house.mistakes({"GIGACHAT_CREDENTIALS": KEY})


def test_no_mistake_shows_a_secret(house):
    house.write(
        "dragoman.toml",
        "[providers.gigachat]\ncredentials = [17171717]\naccess_token = 'canary\\u0001'\n"
        'proxy = "canary"\n[providers.gigachat.headers]\nx = "canary\\n"\n',
    )
    with pytest.raises(SettingsError) as caught:
        house.load({"DRAGOMAN_SERVER__API_KEYS": "canary\x01"})
    assert "canary" not in str(caught.value)
    assert "17171717" not in str(caught.value)


def test_a_variable_that_means_nothing_is_warned_about(house):
    environ = {"GIGACHAT_CREDENTIALS": KEY, "DRAGOMAN_HOSTNAME": "x"}
    (warning,) = house.load(environ).warnings
    assert warning.startswith("DRAGOMAN_HOSTNAME")


def test_what_kubernetes_sets_beside_a_service_is_passed_over(house):
    environ = {
        "GIGACHAT_CREDENTIALS": KEY,
        "DRAGOMAN_PORT": "tcp://10.0.0.1:80",
        "DRAGOMAN_SERVICE_HOST": "10.0.0.1",
        "DRAGOMAN_SERVICE_PORT_HTTP": "80",
        "DRAGOMAN_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert house.load(environ).warnings == ()


def test_a_container_may_listen_everywhere_but_is_warned(house):
    environ = {"GIGACHAT_CREDENTIALS": KEY, "DRAGOMAN_CONTAINER": "1"}
    settings = house.load(environ, {"--host": "0.0.0.0"})
    assert settings.server.host == "0.0.0.0"
    assert len(settings.warnings) == 1


def test_without_anything_the_way_out_is_named(house):
    mistakes = house.mistakes()
    assert set(mistakes) == {"providers"}
    assert "GIGACHAT_CREDENTIALS" in mistakes["providers"].remedy


def test_files_count_from_where_they_are_named(house):
    house.write("etc/ca.pem", "x")
    path = house.write("etc/dragoman.toml", GIGACHAT + 'ca_bundle = "ca.pem"\n')
    provider = house.load(config=path).providers["gigachat"]
    assert provider.ca_bundle == house.folder / "etc/ca.pem"
