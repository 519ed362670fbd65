"""Every way to prove oneself to GigaChat, judged by the official SDK."""

import ssl
import warnings

import pytest
from gigachat import GigaChat
from gigachat.exceptions import AuthenticationError, BadRequestError, ResponseError

from dragoman.simulators.options import (
    GIGACHAT_ACCESS_TOKEN,
    GIGACHAT_CORPORATE_KEY,
    GIGACHAT_KEYS,
    GIGACHAT_PASSWORD,
    GIGACHAT_USER,
)
from support.certificates import Certificates, secure_simulator


@pytest.fixture(autouse=True)
def _old_calls_are_fine():
    """The SDK calls chat v1 deprecated; it is what the simulator speaks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def lasting_simulator(certificates):
    with secure_simulator(certificates) as simulator:
        yield simulator


@pytest.fixture
def secure(lasting_simulator):
    lasting_simulator.reset()
    return lasting_simulator


def asked(simulator, text="Привет", **credentials):
    """What one question with the SDK gives; the keys that the API has seen."""
    with GigaChat(
        base_url=simulator.server.gigachat_url,
        auth_url=simulator.server.gigachat_auth_url,
        model="GigaChat",
        **credentials,
    ) as client:
        assert client.chat(text).choices
    return set(simulator.view()["asked_by"])


def showing(certificates):
    """Of the SDK's members for certificates, httpx overlooks ``cert_file`` beside a CA bundle."""
    context = ssl.create_default_context(cafile=certificates.authority)
    context.load_cert_chain(certificates.client, certificates.client_key)
    return context


@pytest.mark.parametrize("shape", ["access_token", "tok"])
@pytest.mark.parametrize("scope", ["GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP"])
def test_an_authorization_key(simulator, shape, scope):
    simulator.control(options={"token_shape": shape})
    assert asked(simulator, credentials=GIGACHAT_KEYS[1], scope=scope) == {GIGACHAT_KEYS[1]}


def test_a_key_of_another_scope_is_refused(simulator):
    assert asked(simulator, credentials=GIGACHAT_CORPORATE_KEY, scope="GIGACHAT_API_CORP")
    with pytest.raises((AuthenticationError, BadRequestError, ResponseError)) as raised:
        asked(simulator, credentials=GIGACHAT_CORPORATE_KEY, scope="GIGACHAT_API_PERS")
    assert "scope from db" in str(raised.value)


def test_a_user_and_a_password(simulator):
    assert asked(simulator, user=GIGACHAT_USER, password=GIGACHAT_PASSWORD) == {GIGACHAT_USER}
    simulator.control(options={"gigachat_users": {"b": "c:d"}})
    assert "b" in asked(simulator, user="b", password="c:d")
    with pytest.raises(AuthenticationError):
        asked(simulator, user="b", password="c")


def test_an_installation_without_passwords_has_no_such_path(simulator):
    simulator.control(options={"gigachat_users": {}})
    reply = simulator.post("/gigachat/api/v1/token", b"", {"authorization": "Basic eDp5"})
    assert reply.status == 404


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 401),
        ({"authorization": "Basic not-base64"}, b"", 401),
        ({"authorization": "Bearer c2ltdWxhdGVkLXVzZXI6c2ltdWxhdGVkLXBhc3N3b3Jk"}, b"", 401),
        ({"authorization": "Basic c2ltdWxhdGVkLXVzZXI="}, b"", 401),
        ({"authorization": "Basic c2ltdWxhdGVkLXVzZXI6c2ltdWxhdGVkLXBhc3N3b3Jk"}, b"{}", 400),
        ({"authorization": "basic c2ltdWxhdGVkLXVzZXI6c2ltdWxhdGVkLXBhc3N3b3Jk"}, b"", 200),
    ],
)
def test_the_password_endpoint_is_strict(simulator, headers, body, status):
    assert simulator.post("/gigachat/api/v1/token", body, headers).status == status


def test_a_client_certificate_alone(secure, certificates):
    shown = {"ssl_context": showing(certificates)}
    assert asked(secure, **shown) == {"certificate:company"}
    with pytest.raises(AuthenticationError):
        asked(secure, ca_bundle_file=certificates.authority)
    secure.control(options={"gigachat_takes_certificates": False})
    with pytest.raises(AuthenticationError):
        asked(secure, **shown)


def test_a_client_certificate_beside_a_token(secure, certificates):
    shown = {"ssl_context": showing(certificates)}
    assert asked(secure, access_token=GIGACHAT_ACCESS_TOKEN, **shown) == {GIGACHAT_ACCESS_TOKEN}
    with pytest.raises(AuthenticationError):
        asked(secure, access_token="unknown", **shown)
    assert "certificate:company" not in secure.view()["asked_by"]


def test_a_ready_token_expires_when_told(simulator):
    assert asked(simulator, access_token=GIGACHAT_ACCESS_TOKEN)
    for text in ("[[fault:expired-token]]", "Привет"):
        with pytest.raises(AuthenticationError):
            asked(simulator, text, access_token=GIGACHAT_ACCESS_TOKEN)
    simulator.control(expire_tokens=True)
    assert asked(simulator, access_token=GIGACHAT_ACCESS_TOKEN)


def test_the_journal_counts_askers_within_a_bound(simulator):
    simulator.gigachat({"model": "GigaChat", "messages": []})
    simulator.get("/gigachat/api/v1/models", {"authorization": f"Bearer {GIGACHAT_ACCESS_TOKEN}"})
    counts = simulator.view()["asked_by"][GIGACHAT_ACCESS_TOKEN]
    assert counts == {"GigaChat": 1, "models": 1}
