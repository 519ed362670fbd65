"""``dragoman keys``: asked of real simulators, printed for people and for programs."""

import io
import json

import pytest

from dragoman import checkup
from dragoman.settings_sources import load
from support.simulator import running_simulator

WRONG = "sk-a-key-that-is-wrong-0001"


@pytest.fixture(scope="module")
def simulator():
    with running_simulator() as simulator:
        yield simulator


def settings(simulator, tmp_path, more=""):
    (tmp_path / "dragoman.toml").write_text(simulator.server.config_toml() + more)
    return load({}, environ={}, cwd=tmp_path)


def checked(given, *, as_json=True):
    out = io.StringIO()
    code = checkup.run(given, as_json=as_json, out=out)
    return code, out.getvalue()


def test_good_credentials(simulator, tmp_path):
    code, text = checked(settings(simulator, tmp_path))
    findings = json.loads(text)
    assert code == 0
    assert all(each["healthy"] and each["models"] for each in findings)
    of_gigachat = [each for each in findings if each["provider"] == "gigachat"]
    assert len(of_gigachat) == 3
    assert of_gigachat[0]["balance"] == [{"usage": "GigaChat", "value": 49900.0}]
    assert {each["balance"] is None for each in findings if each["provider"] == "openai"} == {True}


def test_what_is_wrong_is_said_without_the_secret(simulator, tmp_path):
    more = f"""
[providers.wrong]
kind = "openai_compatible"
base_url = "{simulator.server.openai_url}"
credentials = ["{WRONG}"]
[providers.gone]
kind = "openai_compatible"
base_url = "http://127.0.0.1:9/v1"
"""
    given = settings(simulator, tmp_path, more)
    code, text = checked(given)
    states = {each["provider"]: each["state"] for each in json.loads(text)}
    assert code == 1
    assert (states["wrong"], states["gone"]) == (
        "upstream_authentication",
        "upstream_unavailable",
    )
    code, shown = checked(given, as_json=False)
    assert code == 1
    assert "gone/anonymous" in shown
    assert "upstream_authentication" in shown
    assert "49,900" in shown
    assert WRONG not in text + shown


def test_a_contract_without_packages_has_no_balance(simulator, tmp_path):
    simulator.control(
        faults=[{"fault": "403", "simulator": "gigachat", "on": "/balance", "times": 3}]
    )
    code, text = checked(settings(simulator, tmp_path))
    simulator.reset()
    assert code == 0
    assert {each["balance"] is None for each in json.loads(text)} == {True}


def test_a_key_that_gigachat_does_not_know(simulator, tmp_path):
    given = settings(simulator, tmp_path)
    simulator.control(options={"gigachat_keys": {}})
    code, text = checked(given)
    simulator.reset()
    findings = [each for each in json.loads(text) if each["provider"] == "gigachat"]
    assert code == 1
    assert {each["state"] for each in findings} == {"upstream_authentication"}
