"""Every way in which gpt2giga's README and releases have spelled flags."""

import pytest

from dragoman.compat import gpt2giga
from dragoman.settings import SettingsError

KEY = "a2V5OnNlY3JldA=="
ENVIRON = {"GIGACHAT_CREDENTIALS": KEY}
README_EXAMPLE = r"""
gpt2giga \
    --proxy-host 127.0.0.1 \
    --proxy-port 8080 \
    --proxy-log-level \
    --pass-model \
    --pass-token \
    --base-url https://gigachat.devices.sberbank.ru/api/v1 \
    --model GigaChat-Max \
    --timeout 300 \
    --embeddings EmbeddingsGigaR
"""


def start(*arguments, cwd, **environ):
    return gpt2giga.read(arguments, {**ENVIRON, **environ}, cwd)


def settings_of(*arguments, cwd, **environ):
    return start(*arguments, cwd=cwd, **environ).settings


def at(settings, path):
    """The value at a dotted path; secrets in clear."""
    value = settings
    for name in path.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def said(settings, *words):
    """One warning holds all the words."""
    return any(all(word in warning for word in words) for warning in settings.warnings)


def test_the_example_of_the_readme_works_word_for_word(tmp_path):
    words = README_EXAMPLE.replace("\\\n", " ").split()[1:]
    settings = settings_of(*words, cwd=tmp_path)
    giga = settings.providers["gigachat"]
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.log.level == "debug"
    assert giga.base_url == "https://gigachat.devices.sberbank.ru/api/v1"
    assert (giga.timeouts.first_byte, giga.timeouts.idle) == (300, 300)
    assert settings.models["*"].targets == ("gigachat/*",)
    assert not said(settings, "there is no such flag")


# Everything that the README lists: flag, value, where it arrives, what arrives there.
README_FLAGS = [
    ("proxy-host", "127.0.0.9", "server.host", "127.0.0.9"),
    ("proxy-port", "8081", "server.port", 8081),
    ("proxy-pass-model", "True", "models.*.targets", ("gigachat/*",)),
    ("proxy-log-level", "WARNING", "log.level", "warning"),
    ("gigachat-base-url", "https://giga.example/v1", "providers.gigachat.base_url", "="),
    ("gigachat-auth-url", "https://auth.example/oauth", "providers.gigachat.auth_url", "="),
    ("gigachat-scope", "GIGACHAT_API_CORP", "providers.gigachat.scope", "="),
    ("gigachat-access_token", "env:odd", "providers.gigachat.access_token", "="),
    ("gigachat-model", "GigaChat-2-Max", "models.*.targets", ("gigachat/GigaChat-2-Max",)),
    ("gigachat-timeout", "45", "providers.gigachat.timeouts.idle", 45),
    ("gigachat-verify-ssl-certs", "False", "providers.gigachat.verify_tls", False),
]


def spellings(flag, value):
    dotted = flag.replace("-", ".", 1)
    under = flag.replace("-", "_")
    plain = flag.partition("-")[2]
    yield [f"--{flag}", value]
    yield [f"--{flag}={value}"]
    yield [f"--{dotted}", value]
    yield [f"--{dotted}={value}"]
    yield [f"--{under}", value]
    yield [f"--{plain}", value]
    yield [f"--{flag.upper()}", value]


@pytest.mark.parametrize(
    ("arguments", "path", "expected"),
    [
        pytest.param(
            arguments, path, value if expected == "=" else expected, id=" ".join(arguments)
        )
        for flag, value, path, expected in README_FLAGS
        for arguments in spellings(flag, value)
    ],
)
def test_every_flag_of_the_readme_in_every_style(tmp_path, arguments, path, expected):
    settings = settings_of(*arguments, cwd=tmp_path)
    assert at(settings, path) == expected
    assert not said(settings, "there is no such flag")


def test_a_credential_on_the_command_line_is_used_and_warned_about(tmp_path):
    settings = settings_of("--gigachat-credentials", "b3RoZXI6a2V5", cwd=tmp_path)
    (used,) = settings.providers["gigachat"].credentials
    assert used.get_secret_value() == "b3RoZXI6a2V5"
    assert said(settings, "--gigachat-credentials", "list of processes", "GIGACHAT_CREDENTIALS")
    assert not said(settings, "b3RoZXI6a2V5")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pass-model"],
        ["--pass-model", "--proxy-port", "1"],
        ["--pass-model", "true"],
        ["--proxy-pass-model", "True"],
        ["--proxy.pass-model", "true"],
        ["--proxy.pass_model=1"],
        ["--proxy", '{"pass_model": true}'],
    ],
    ids=" ".join,
)
def test_a_switch_needs_no_value_but_may_have_one(tmp_path, arguments):
    settings = settings_of(*arguments, cwd=tmp_path)
    assert settings.models["*"].targets == ("gigachat/*",)


@pytest.mark.parametrize("value", ["false", "False", "0", "no"])
def test_a_switch_can_be_turned_off(tmp_path, value):
    settings = settings_of("--proxy-pass-model", value, cwd=tmp_path, GPT2GIGA_PASS_MODEL="True")
    assert settings.models["*"].targets == ("gigachat/GigaChat",)


def test_whole_families_as_json(tmp_path):
    settings = settings_of(
        "--proxy",
        '{"port": 8123, "log-level": "ERROR", "cors_allow_origins": ["https://a.example"]}',
        '--gigachat={"model": "GigaChat-2-Pro", "verify_ssl_certs": false}',
        cwd=tmp_path,
    )
    assert settings.server.port == 8123
    assert settings.log.level == "error"
    assert settings.server.cors_origins == ("https://a.example",)
    assert settings.providers["gigachat"].verify_tls is False
    assert settings.models["*"].targets == ("gigachat/GigaChat-2-Pro",)


@pytest.mark.parametrize(
    ("flag", "near"),
    [
        ("--proxy-hots", "--proxy-host"),
        ("--verify-ssl-cert", "--gigachat-verify-ssl-certs"),
        ("--gigachat.modle", "--gigachat-model"),
        ("--xyz", "docs/from-gpt2giga.md"),
    ],
)
def test_an_unknown_flag_is_warned_about_with_the_nearest_name(tmp_path, flag, near):
    settings = settings_of(flag, "9.9.9.9", "--proxy-port", "8082", cwd=tmp_path)
    assert said(settings, flag, "there is no such flag", near)
    assert settings.server.port == 8082


def test_a_word_that_is_no_flag_is_warned_about(tmp_path):
    assert said(settings_of("serve", cwd=tmp_path), "serve", "only flags")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--proxy-port"], "--proxy-port has no value"),
        (["--proxy-port", "many"], "server.port"),
        (["--proxy-host", "--pass-model"], "--proxy-host has no value"),
        (["--proxy", "{"], "--proxy has no JSON object"),
        (["--gigachat", "[1]"], "--gigachat has no JSON object"),
        (["--env-path"], "--env-path has no value"),
        (["--env-path", "absent.env"], "absent.env"),
        (["--inspect-config", "--pass-model=perhaps"], "neither yes nor no"),
        (["--gigachat-timeout", "soon"], "no number"),
        (["--proxy-mode", "TEST"], "no mode"),
    ],
)
def test_what_cannot_be_read_is_a_mistake(tmp_path, arguments, word):
    with pytest.raises(SettingsError) as caught:
        start(*arguments, cwd=tmp_path)
    assert word in str(caught.value)


def test_inspecting_only(tmp_path):
    assert start("--inspect-config", cwd=tmp_path).inspect_only
    assert not start("--inspect-config", "false", cwd=tmp_path).inspect_only
    assert not start(cwd=tmp_path).inspect_only


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path):
    (tmp_path / ".env").write_text("GPT2GIGA_PORT=1\nGPT2GIGA_LOG_LEVEL=ERROR\nGIGACHAT_MODEL=A\n")
    variables = {"GPT2GIGA_PORT": "2", "GPT2GIGA_LOG_LEVEL": "WARNING"}
    settings = settings_of("--proxy-port", "3", cwd=tmp_path, **variables)
    assert settings.server.port == 3
    assert settings.log.level == "warning"
    assert settings.models["*"].targets == ("gigachat/A",)


def test_the_file_is_searched_upward(tmp_path):
    (tmp_path / ".env").write_text("GPT2GIGA_PORT=8111\n")
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    assert settings_of(cwd=inner).server.port == 8111


@pytest.mark.parametrize("flag", ["--env-path", "--env_path"])
def test_the_file_can_be_named(tmp_path, flag):
    (tmp_path / ".env").write_text("GPT2GIGA_PORT=1\n")
    (tmp_path / "other.env").write_text("GPT2GIGA_PORT=2\nNAME=x\nGIGACHAT_MODEL=${NAME}y\n")
    settings = settings_of(flag, "other.env", cwd=tmp_path)
    assert settings.server.port == 2
    assert settings.models["*"].targets == ("gigachat/xy",)


def test_our_own_file_adds_what_the_old_program_never_had(tmp_path):
    (tmp_path / "more.toml").write_text(
        '[models."gpt-4*"]\ntargets = ["gigachat/GigaChat-2-Max"]\n[server]\nport = 7\n'
    )
    settings = settings_of("--config", "more.toml", cwd=tmp_path)
    assert settings.models["gpt-4*"].targets == ("gigachat/GigaChat-2-Max",)
    assert settings.server.port == 7


def test_provider_profiles_are_said_not_to_be_read(tmp_path):
    assert said(settings_of("--config", "p.yaml", cwd=tmp_path), "--config", "p.yaml", "not read")
    assert said(settings_of(cwd=tmp_path, GPT2GIGA_CONFIG="p.json"), "GPT2GIGA_CONFIG", "p.json")
