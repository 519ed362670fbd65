"""How GigaChat's credentials are written, from settings and from the SDK's variables."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from dragoman.settings import Settings, SettingsError
from dragoman.settings.checks import contradictions, warnings
from dragoman.settings_sources import load

KEY = "a2V5OnNlY3JldA=="
OWN = "https://gigachat.company.example/v1"


def provider(**members):
    tree = Settings.model_validate({"providers": {"g": {"kind": "gigachat", **members}}})
    return tree.providers["g"]


def wrong(server=None, **members):
    tree = Settings.model_validate(
        {"server": server or {}, "providers": {"g": {"kind": "gigachat", **members}}}
    )
    return [mistake.path for mistake in contradictions(tree, {"g"})]


@pytest.mark.parametrize(
    "credential", [KEY, f"{KEY}:PERS", f"{KEY}:b2b", f"{KEY}:GIGACHAT_API_CORP", "token:a.b-c"]
)
def test_a_credential_may_name_its_scope_or_be_a_token(credential):
    assert wrong(credentials=[credential]) == []


@pytest.mark.parametrize("credential", [f"{KEY}:", f"{KEY}:ALL", "user:", "user:x", "user::y"])
def test_a_credential_of_no_known_form_is_refused(credential):
    with pytest.raises(ValidationError):
        provider(credentials=[credential])


@pytest.mark.parametrize(
    ("written", "scope"),
    [("PERS", "PERS"), ("b2b", "B2B"), (" Corp ", "CORP"), ("GIGACHAT_API_CORP", "CORP")],
)
def test_a_scope_has_a_short_name(written, scope):
    assert provider(credentials=[KEY], scope=written).scope == f"GIGACHAT_API_{scope}"


def test_calls_in_flight_follow_each_credentials_own_contract():
    one = provider(credentials=[KEY])
    scopes = ("", "GIGACHAT_API_PERS", "GIGACHAT_API_B2B")
    assert [one.in_flight_for(scope) for scope in scopes] == [1, 1, 10]
    company = provider(credentials=[KEY], scope="CORP")
    assert [company.in_flight_for(scope) for scope in scopes] == [10, 1, 10]
    set_by_hand = provider(credentials=[KEY], limits={"in_flight": 3})
    assert [set_by_hand.in_flight_for(scope) for scope in scopes] == [3, 3, 3]
    boundless = provider(credentials=[KEY], limits={"in_flight": 0})
    assert boundless.in_flight_for("GIGACHAT_API_PERS") is None


@pytest.mark.parametrize(
    ("members", "places"),
    [
        ({"user": "u", "password": "p", "base_url": OWN}, []),
        ({"user": "u", "password": "p:ä ,ö", "base_url": OWN}, []),
        ({"user": "u", "password": "p"}, ["providers.g.base_url"]),
        ({"credentials": ["user:u:p"]}, ["providers.g.base_url"]),
        ({"credentials": ["user:u:p"], "base_url": OWN}, []),
        ({"user": "u", "base_url": OWN}, ["providers.g.user"]),
        ({"password": "p", "base_url": OWN, "credentials": [KEY]}, ["providers.g.user"]),
        ({"user": "u:v", "password": "p", "base_url": OWN}, ["providers.g.user"]),
        ({"callers_credentials": True}, []),
        ({"access_token": "t"}, []),
        ({}, ["providers.g.credentials"]),
    ],
)
def test_what_goes_together(members, places):
    assert wrong(**members) == places


@pytest.mark.parametrize(
    "header",
    ["Authorization", "cookie", "X-API-Key", "host", "x-forwarded-for", "a b", "User-Agent"],
)
def test_some_headers_are_never_passed_on(header):
    assert wrong(credentials=[KEY], pass_headers=["X-Trace", header]) == [
        "providers.g.pass_headers"
    ]


def test_which_headers_are_passed_on():
    assert "x-session-id" in provider(credentials=[KEY]).passed_headers
    assert provider(credentials=[KEY], pass_headers=[]).passed_headers == ()
    assert provider(credentials=[KEY], pass_headers="X-A, X-B").passed_headers == ("x-a", "x-b")


def test_sharing_by_omission_and_a_certificate_are_warned_about():
    tree = Settings.model_validate(
        {
            "server": {"host": "0.0.0.0", "insecure_public": True},
            "providers": {
                "g": {
                    "kind": "gigachat",
                    "credentials": [KEY],
                    "client_certificate": __file__,
                    "callers_credentials": True,
                }
            },
        }
    )
    said = "\n".join(warnings(tree))
    assert "providers.g.callers_credentials: who brings no credential" in said
    assert "providers.g.client_certificate: it is shown for the gateway's own calls only" in said


def loaded(tmp_path: Path, **environ):
    return load({}, environ=environ, cwd=tmp_path).providers["gigachat"]


def test_the_variables_of_the_sdk_give_user_and_password(tmp_path):
    found = loaded(tmp_path, GIGACHAT_USER="ivan", GIGACHAT_PASSWORD="a,b:c", GIGACHAT_BASE_URL=OWN)
    assert found.user.get_secret_value() == "ivan"
    assert found.password.get_secret_value() == "a,b:c"
    assert "a,b:c" not in repr(found)


@pytest.mark.parametrize("missing", ["GIGACHAT_USER", "GIGACHAT_PASSWORD", "GIGACHAT_BASE_URL"])
def test_what_is_missing_beside_them_is_said(tmp_path, missing):
    environ = {"GIGACHAT_USER": "u", "GIGACHAT_PASSWORD": "p", "GIGACHAT_BASE_URL": OWN}
    del environ[missing]
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, **environ)
    (mistake,) = raised.value.mistakes
    assert mistake.path in {"providers.gigachat.user", "providers.gigachat.base_url"}


def test_secrets_of_a_user_may_be_named(tmp_path):
    (tmp_path / "dragoman.toml").write_text(
        f'[providers.gigachat]\nbase_url = "{OWN}"\nuser = "env:WHO"\npassword = "file:word"\n'
    )
    (tmp_path / "word").write_text("secret\n")
    found = loaded(tmp_path, WHO="ivan")
    assert (found.user.get_secret_value(), found.password.get_secret_value()) == ("ivan", "secret")
