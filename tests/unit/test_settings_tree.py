"""The tree of settings: its defaults, its documentation and what it refuses."""

from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr, ValidationError

from dragoman.settings import ServerSettings, Settings
from dragoman.settings.checks import contradictions, warnings
from dragoman.settings.meanings import meaning_of
from dragoman.settings.tree import (
    FILE_FIELDS,
    PROVIDER_KINDS,
    SECRET_FIELDS,
    Block,
    ModelSettings,
    block_at,
)
from dragoman.settings.values import dotted

KEY = "a2V5OnNlY3JldA=="
GIGACHAT = {"kind": "gigachat", "credentials": [KEY]}
TABLES = [
    ("server",),
    ("log",),
    ("traffic_log",),
    ("queue",),
    ("retry",),
    ("providers", "any", "timeouts"),
    ("providers", "any", "limits"),
]


def every_block():
    return [
        Settings,
        ModelSettings,
        *PROVIDER_KINDS.values(),
        *(block for place in TABLES if (block := block_at(place, "")) is not None),
    ]


def mentions(annotation, wanted):
    if annotation is wanted:
        return True
    return any(mentions(inner, wanted) for inner in get_args(annotation))


def settings(**tables):
    return Settings.model_validate({"providers": {"gigachat": GIGACHAT}, **tables})


def wrong_places(tree, names=None):
    found = contradictions(tree, set(tree.providers) if names is None else names)
    return [mistake.path for mistake in found]


@pytest.mark.parametrize("block", every_block())
def test_every_field_says_what_it_means(block):
    assert issubclass(block, Block)
    undocumented = [name for name in block.model_fields if not meaning_of(block, name)]
    assert undocumented == []


@pytest.mark.parametrize("block", every_block())
def test_every_secret_and_every_file_is_known_as_such(block):
    for name, field in block.model_fields.items():
        assert mentions(field.annotation, SecretStr) == (name in SECRET_FIELDS), name
        assert mentions(field.annotation, Path) == (name in FILE_FIELDS), name


def test_a_setting_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError):
        settings().server.port = 1


def test_no_secret_is_printed():
    tree = settings(server={"api_keys": ["sk-canary"]})
    assert KEY not in repr(tree)
    assert "canary" not in repr(tree)
    assert "canary" not in str(tree.model_dump())


@pytest.mark.parametrize(
    ("scope", "limits", "expected"),
    [
        ("GIGACHAT_API_PERS", {}, 1),
        ("GIGACHAT_API_B2B", {}, 10),
        ("GIGACHAT_API_CORP", {}, 10),
        ("GIGACHAT_API_PERS", {"in_flight": 3}, 3),
        ("GIGACHAT_API_PERS", {"in_flight": 0}, None),
    ],
)
def test_calls_in_flight_follow_the_contract_unless_they_are_set(scope, limits, expected):
    provider = {**GIGACHAT, "scope": scope, "limits": limits}
    assert settings(providers={"g": provider}).providers["g"].in_flight == expected


def test_an_openai_compatible_server_has_no_limit_of_its_own():
    provider = {"kind": "openai_compatible", "base_url": "http://127.0.0.1:11434/v1/"}
    tree = settings(providers={"ollama": provider})
    assert tree.providers["ollama"].in_flight is None
    assert tree.providers["ollama"].base_url == "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("gateway.example", False),
        ("localhost.example", False),
    ],
)
def test_which_hosts_only_this_machine_reaches(host, is_loopback):
    assert ServerSettings(host=host).is_loopback is is_loopback


def test_a_public_address_needs_keys_or_an_explicit_word():
    assert wrong_places(settings(server={"host": "0.0.0.0"})) == ["server.host"]
    for permission in ({"api_keys": ["k"]}, {"insecure_public": True}, {"container": True}):
        assert wrong_places(settings(server={"host": "0.0.0.0", **permission})) == []


def test_fetching_from_private_addresses_is_warned_about():
    (warning,) = warnings(settings(media={"allow_private": True}))
    assert warning.startswith("media.allow_private: ")


def test_an_open_public_address_is_warned_about():
    open_door = settings(server={"host": "0.0.0.0", "insecure_public": True})
    assert any("server.host" in warning for warning in warnings(open_door))
    locked = settings(server={"host": "0.0.0.0", "api_keys": ["k"]})
    assert list(warnings(locked)) == []


@pytest.mark.parametrize(
    ("provider", "warned"),
    [
        ({**GIGACHAT, "verify_tls": False}, "providers.p.verify_tls"),
        ({**GIGACHAT, "base_url": "http://far.example/v1"}, "providers.p.base_url"),
        ({"kind": "gigachat", "access_token": "t"}, "providers.p.access_token"),
    ],
)
def test_what_is_allowed_but_risky_is_said(provider, warned):
    (warning,) = warnings(settings(providers={"p": provider}))
    assert warning.startswith(warned)


@pytest.mark.parametrize(
    ("name", "provider", "wrong"),
    [
        ("p", {"kind": "gigachat"}, "providers.p.credentials"),
        ("p", {**GIGACHAT, "client_key": __file__}, "providers.p.client_key"),
        ("a/b", GIGACHAT, 'providers."a/b"'),
        ("health", GIGACHAT, "providers.health"),
        ("p", {**GIGACHAT, "headers": {"Authorization": "x"}}, "providers.p.headers.Authorization"),
        ("p", {**GIGACHAT, "headers": {"a b": "x"}}, 'providers.p.headers."a b"'),
        ("p", {**GIGACHAT, "base_url": "http://localhost:8090/v1"}, "providers.p.base_url"),
    ],
)
def test_a_provider_that_cannot_work_is_refused(name, provider, wrong):
    assert wrong_places(settings(providers={name: provider})) == [wrong]


def test_a_client_certificate_is_proof_enough_for_gigachat():
    provider = {"kind": "gigachat", "client_certificate": __file__}
    assert wrong_places(settings(providers={"p": provider})) == []


@pytest.mark.parametrize(
    ("alias", "target", "wrong"),
    [
        ("best", "gigachat/GigaChat-2-Max", []),
        ("gpt-4o", "openrouter/a/b", ["models.gpt-4o.targets[0]"]),
        ("best", "GigaChat-2-Max", ["models.best.targets[0]"]),
        ("best", "gigachat/", ["models.best.targets[0]"]),
        ("gigachat/GigaChat", "gigachat/GigaChat-2", ['models."gigachat/GigaChat"']),
    ],
)
def test_an_alias_points_at_models_of_providers_that_exist(alias, target, wrong):
    assert wrong_places(settings(models={alias: {"targets": [target]}})) == wrong


def test_a_gateway_without_a_provider_is_refused():
    assert wrong_places(Settings()) == ["providers"]


def test_a_provider_that_could_not_be_read_still_counts_for_its_aliases():
    tree = settings(models={"m": {"targets": ["broken/x"]}})
    assert wrong_places(tree, {"gigachat", "broken"}) == []


@pytest.mark.parametrize("secret", ["", "two\nlines", "ключ", "a\x00b"])
def test_a_secret_that_no_header_may_carry_is_refused(secret):
    with pytest.raises(ValidationError):
        settings(server={"api_keys": [secret]})


@pytest.mark.parametrize(
    "address",
    ["", "gigachat", "ftp://a/b", "http://", "http://u:p@a/b", "http://a/?q", "http://a:99999/"],
)
def test_an_address_that_cannot_be_called_is_refused(address):
    with pytest.raises(ValidationError):
        settings(providers={"p": {"kind": "openai_compatible", "base_url": address}})


@pytest.mark.parametrize("proxy", ["a:1", "https://a:1", "http://", "socks4://a:1"])
def test_a_proxy_that_cannot_be_used_is_refused(proxy):
    with pytest.raises(ValidationError):
        settings(providers={"p": {**GIGACHAT, "proxy": proxy}})


def test_places_are_written_as_toml_writes_them():
    assert dotted(("models", "gpt-4.1", "targets", 0)) == 'models."gpt-4.1".targets[0]'
    assert dotted(()) == ""
