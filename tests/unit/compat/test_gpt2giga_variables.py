"""Every variable of gpt2giga: where it arrives, or what is said of it."""

import json
from pathlib import Path

import pytest

from dragoman.compat import gpt2giga
from dragoman.compat.gpt2giga.names import KINDS, REMARKS
from dragoman.compat.gpt2giga.translation import has_setting
from dragoman.routing import Route, Router
from dragoman.settings import SettingsError

KEY = "a2V5OnNlY3JldA=="


def settings_of(cwd, **environ):
    environ.setdefault("GIGACHAT_CREDENTIALS", KEY)
    return gpt2giga.read([], environ, cwd).settings


def said(settings, *words):
    return any(all(word in warning for word in words) for warning in settings.warnings)


def at(settings, path):
    value = settings
    for name in path.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


GIGA = "providers.gigachat"
MEANINGS = [
    ("GPT2GIGA_HOST", "127.0.0.3", "server.host", "127.0.0.3"),
    ("GPT2GIGA_PORT", "8091", "server.port", 8091),
    ("GPT2GIGA_PROXY_PORT", "8092", "server.port", 8092),
    ("GPT2GIGA_SHUTDOWN_TIMEOUT_SECONDS", "25", "server.shutdown_grace", 25),
    ("GPT2GIGA_MAX_REQUEST_BODY_BYTES", "10485760", "server.max_body_mb", 10),
    ("GPT2GIGA_CORS_ALLOW_ORIGINS", '["https://a.example"]', "server.cors_origins",
     ("https://a.example",)),
    ("GPT2GIGA_CORS_ALLOW_METHODS", '["POST"]', "server.cors_methods", ("POST",)),
    ("GPT2GIGA_CORS_ALLOW_HEADERS", "authorization, x-a", "server.cors_headers",
     ("authorization", "x-a")),
    ("GPT2GIGA_LOG_LEVEL", "CRITICAL", "log.level", "error"),
    ("GPT2GIGA_LOG_LEVEL", "debug", "log.level", "debug"),
    ("GPT2GIGA_VERBOSE", "True", "log.level", "debug"),
    ("GPT2GIGA_LOG_MAX_SIZE", "1048576", "log.file_max_mb", 1),
    ("GPT2GIGA_TIMEOUT", "600", f"{GIGA}.timeouts.first_byte", 600),
    ("GPT2GIGA_MODEL_MAX_CONNECTIONS_DEFAULT", "3", f"{GIGA}.limits.in_flight", 3),
    ("GPT2GIGA_MODEL_MAX_CONNECTIONS_ACQUIRE_TIMEOUT", "7", "queue.max_wait", 7),
    ("GPT2GIGA_MODEL_MAX_CONNECTIONS_ACQUIRE_TIMEOUT", "0", "queue.max_length", 0),
    ("GIGACHAT_BASE_URL", "https://g.example/v1", f"{GIGA}.base_url", "https://g.example/v1"),
    ("GIGACHAT_AUTH_URL", "https://g.example/o", f"{GIGA}.auth_url", "https://g.example/o"),
    ("GIGACHAT_SCOPE", "GIGACHAT_API_B2B", f"{GIGA}.scope", "GIGACHAT_API_B2B"),
    ("GIGACHAT_ACCESS_TOKEN", "tok,en", f"{GIGA}.access_token", "tok,en"),
    ("GIGACHAT_VERIFY_SSL_CERTS", "False", f"{GIGA}.verify_tls", False),
    ("GIGACHAT_TIMEOUT", "4", f"{GIGA}.timeouts.connect", 4),
    ("GIGACHAT_MAX_RETRIES", "2", "retry.attempts", 3),
    ("GIGACHAT_MAX_CONNECTIONS", "5", f"{GIGA}.limits.in_flight", 5),
    ("GIGACHAT_SESSION_ID", "s-1", f"{GIGA}.headers.X-Session-ID", "s-1"),
    ("gigachat_model", "GigaChat-2", "models.*.targets", ("gigachat/GigaChat-2",)),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "value", "path", "expected"), MEANINGS)
def test_a_variable_arrives_in_our_settings(tmp_path, variable, value, path, expected):
    settings = settings_of(tmp_path, **{variable: value})
    assert at(settings, path) == expected
    assert not said(settings, variable)


def test_files_of_the_sdk_count_from_where_the_command_was_started(tmp_path):
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("x")
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / ".env").write_text("GIGACHAT_CA_BUNDLE_FILE=../ca.pem\n")
    settings = settings_of(
        inner,
        GIGACHAT_CERT_FILE="../cert.pem",
        GIGACHAT_KEY_FILE=str(tmp_path / "key.pem"),
        GIGACHAT_KEY_FILE_PASSWORD="env:word",
        GIGACHAT_MTLS_AUTH="True",
    )
    giga = settings.providers["gigachat"]
    assert giga.ca_bundle.samefile(tmp_path / "ca.pem")
    assert giga.client_certificate.samefile(tmp_path / "cert.pem")
    assert giga.client_key.samefile(tmp_path / "key.pem")
    assert giga.client_key_password.get_secret_value() == "env:word"


def test_the_defaults_of_the_old_program(tmp_path):
    settings = settings_of(tmp_path)
    assert settings.server.is_loopback
    assert settings.server.port == 8090
    assert settings.server.shutdown_grace == 10
    assert settings.server.any_prefix
    assert settings.server.cors_origins == ("*",)
    assert settings.server.cors_credentials
    assert settings.server.api_keys == ()
    assert settings.log.file == tmp_path / "gpt2giga.log"
    assert settings.log.bodies
    assert settings.log.level == "info"
    assert settings.traffic_log.file is None


def test_a_public_address_starts_and_is_warned_about(tmp_path):
    settings = settings_of(tmp_path, GPT2GIGA_HOST="0.0.0.0")
    assert settings.server.host == "0.0.0.0"
    assert said(settings, "everybody who reaches 0.0.0.0:8090")


MODELS = ("GigaChat-2-Max", "gpt-4o", "openai/GigaChat-2-Pro", "Embeddings-2", "any/thing")


@pytest.mark.parametrize(
    ("environ", "routes"),
    [
        ({}, ["GigaChat-2-Max", "GigaChat", "GigaChat-2-Pro", "Embeddings-2", "GigaChat"]),
        ({"GIGACHAT_MODEL": "Ultra"},
         ["GigaChat-2-Max", "Ultra", "GigaChat-2-Pro", "Embeddings-2", "Ultra"]),
        ({"GPT2GIGA_PASS_MODEL": "False", "GIGACHAT_MODEL": "Ultra"}, ["Ultra"] * 5),
        ({"GPT2GIGA_PASS_MODEL": "True", "GIGACHAT_MODEL": "Ultra"}, list(MODELS)),
    ],
    ids=["nothing said", "model", "one for all", "passed on"],
)  # fmt: skip
def test_which_model_answers(tmp_path, environ, routes):
    settings = settings_of(tmp_path, **environ)
    aliases = {
        name: [Route(*target.split("/", 1)) for target in model.targets]
        for name, model in settings.models.items()
    }
    router = Router(aliases, ["gigachat"])
    router.learn("gigachat", ["GigaChat", "GigaChat-2-Max"])
    assert [router.routes(name)[0].model for name in MODELS] == routes
    assert [name for name, _ in router.names()] == ["GigaChat", "GigaChat-2-Max"]


def test_a_key_for_clients(tmp_path):
    settings = settings_of(
        tmp_path, GPT2GIGA_ENABLE_API_KEY_AUTH="True", GPT2GIGA_API_KEY="env:se,cret"
    )
    assert [key.get_secret_value() for key in settings.server.api_keys] == ["env:se,cret"]
    silent = settings_of(tmp_path, GPT2GIGA_API_KEY="secret")
    assert silent.server.api_keys == ()
    assert said(silent, "GPT2GIGA_API_KEY", "ENABLE_API_KEY_AUTH")


@pytest.mark.parametrize(
    "environ", [{"GPT2GIGA_ENABLE_API_KEY_AUTH": "True"}, {"GPT2GIGA_MODE": "PROD"}]
)
def test_protection_without_a_key_is_a_mistake(tmp_path, environ):
    with pytest.raises(SettingsError, match="GPT2GIGA_API_KEY"):
        settings_of(tmp_path, **environ)


def test_production_mode_is_closed(tmp_path):
    settings = settings_of(
        tmp_path,
        GPT2GIGA_MODE="PROD",
        GPT2GIGA_API_KEY="secret",
        GPT2GIGA_CORS_ALLOW_ORIGINS='["*", "https://a.example"]',
    )
    assert len(settings.server.api_keys) == 1
    assert settings.server.cors_origins == ("https://a.example",)
    assert not settings.server.cors_credentials


def test_https_needs_both_files(tmp_path):
    (tmp_path / "c.pem").write_text("x")
    with pytest.raises(SettingsError, match="GPT2GIGA_HTTPS_KEY_FILE"):
        settings_of(tmp_path, GPT2GIGA_USE_HTTPS="1", GPT2GIGA_HTTPS_CERT_FILE="c.pem")
    plain = settings_of(tmp_path, GPT2GIGA_HTTPS_CERT_FILE="c.pem")
    assert plain.server.tls_certificate is None
    assert said(plain, "GPT2GIGA_HTTPS_CERT_FILE", "GPT2GIGA_USE_HTTPS")
    both = settings_of(
        tmp_path,
        GPT2GIGA_USE_HTTPS="True",
        GPT2GIGA_HTTPS_CERT_FILE="c.pem",
        GPT2GIGA_HTTPS_KEY_FILE="c.pem",
    )
    assert both.server.tls_key == both.server.tls_certificate == tmp_path / "c.pem"


def test_the_traffic_log(tmp_path):
    on = {"GPT2GIGA_TRAFFIC_LOG_ENABLED": "True", "GPT2GIGA_TRAFFIC_LOG_SINK": "jsonl"}
    assert settings_of(tmp_path, **on).traffic_log.file == tmp_path / "traffic_logs.jsonl"
    more = {
        "GPT2GIGA_TRAFFIC_LOG_JSONL_PATH": "t.jsonl",
        "GPT2GIGA_TRAFFIC_LOG_CAPTURE_CONTENT": "True",
        "GPT2GIGA_TRAFFIC_LOG_QUEUE_SIZE": "5",
    }
    chosen = settings_of(tmp_path, **on, **more).traffic_log
    assert (chosen.file, chosen.content, chosen.queue) == (tmp_path / "t.jsonl", True, 5)
    on["GPT2GIGA_TRAFFIC_LOG_SINK"] = "postgres"
    assert said(settings_of(tmp_path, **on), "postgres", "JSONL")
    on["GPT2GIGA_TRAFFIC_LOG_ENABLED"] = "False"
    assert settings_of(tmp_path, **on).traffic_log.file is None


OF_OTHER_PARTS = [
    ("GPT2GIGA_PASS_TOKEN", "True", f"{GIGA}.callers_credentials", True),
    ("GPT2GIGA_PASS_TOKEN_CLIENT_CACHE_SIZE", "8", f"{GIGA}.callers_kept", 8),
    ("GPT2GIGA_EMBEDDINGS", "Embeddings-2", f"{GIGA}.embeddings_model", "Embeddings-2"),
    ("GPT2GIGA_ENABLE_IMAGES", "False", "media.images", False),
    ("GPT2GIGA_MAX_IMAGE_FILE_SIZE_BYTES", "1048576", "media.max_image_mb", 1),
    ("GPT2GIGA_DEFAULT_MAX_TOKENS", "77", f"{GIGA}.default_max_tokens", 77),
    ("GPT2GIGA_ENABLE_REASONING", "True", f"{GIGA}.default_reasoning_effort", "high"),
    ("GPT2GIGA_DISABLE_REASONING", "True", f"{GIGA}.reasoning", False),
    ("GPT2GIGA_STRUCTURED_OUTPUT_MODE", "function_call", f"{GIGA}.structured_output", "function"),
]


@pytest.mark.parametrize(("variable", "value", "path", "expected"), OF_OTHER_PARTS)
def test_what_a_version_may_lack_arrives_or_is_said_to_be_missing(
    tmp_path, variable, value, path, expected
):
    settings = settings_of(tmp_path, **{variable: value})
    if has_setting(tuple(path.split("."))):
        assert at(settings, path) == expected
    else:
        assert said(settings, variable, "does nothing", path)


@pytest.mark.parametrize("name", list(REMARKS), ids=lambda name: name.variable)
def test_what_means_nothing_any_more_is_said_unless_it_is_the_old_default(tmp_path, name):
    odd = settings_of(tmp_path, **{name.variable: "something else"})
    assert said(odd, name.variable, "does nothing")
    for value in REMARKS[name].usual:
        assert not said(settings_of(tmp_path, **{name.variable: value}), name.variable)


def test_limits_of_single_models_are_said_to_do_nothing(tmp_path):
    limits = json.dumps({"GigaChat": 2})
    assert said(settings_of(tmp_path, GPT2GIGA_MODEL_MAX_CONNECTIONS=limits), "_DEFAULT")
    assert not said(settings_of(tmp_path, GPT2GIGA_MODEL_MAX_CONNECTIONS="{}"), "_DEFAULT")


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("GPT2GIGA_HOSTS", "GPT2GIGA_HOST?"),
        ("GIGACHAT_CREDENTIAL", "GIGACHAT_CREDENTIALS?"),
        ("GIGACHAT_QQQQ", "docs/from-gpt2giga.md"),
    ],
)
def test_an_unknown_variable_is_warned_about_with_the_nearest_name(tmp_path, variable, near):
    assert said(settings_of(tmp_path, **{variable: "1"}), variable, near)


def test_what_an_orchestrator_sets_is_passed_over(tmp_path):
    settings = settings_of(
        tmp_path,
        GPT2GIGA_PORT="tcp://10.0.0.1:8090",
        GPT2GIGA_SERVICE_HOST="10.0.0.1",
        GPT2GIGA_PORT_8090_TCP="tcp://10.0.0.1:8090",
    )
    assert settings.server.port == 8090
    assert not said(settings, "GPT2GIGA_")


def test_other_programs_variables_have_no_say_here(tmp_path):
    settings = settings_of(tmp_path, PORT="1", BIND_ADDRESS="0.0.0.0", OPENAI_API_KEY="x")
    assert settings.server.port == 8090
    assert list(settings.providers) == ["gigachat"]


def test_our_own_variables_fill_what_the_old_program_has_no_name_for(tmp_path):
    settings = settings_of(
        tmp_path, DRAGOMAN_SERVER__BODY_TIMEOUT="9", DRAGOMAN_SERVER__SHUTDOWN_GRACE="3"
    )
    assert settings.server.body_timeout == 9
    assert settings.server.shutdown_grace == 3


def test_no_secret_stands_in_a_message(tmp_path):
    with pytest.raises(SettingsError) as caught:
        settings_of(
            tmp_path,
            GIGACHAT_CREDENTIALS="canary\u2028one",
            GIGACHAT_ACCESS_TOKEN="canary\u2028two",
            GPT2GIGA_API_KEY="canary\u2028three",
            GPT2GIGA_MODE="PROD",
        )
    assert "canary" not in str(caught.value)


def test_every_setting_that_is_known_is_documented():
    page = Path(__file__).parents[3] / "docs" / "from-gpt2giga.md"
    text = page.read_text(encoding="utf-8")
    assert [name.variable for name in KINDS if f"`{name.variable}`" not in text] == []
