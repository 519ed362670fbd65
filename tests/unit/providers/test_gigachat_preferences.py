"""What an operator may choose about the requests that GigaChat gets, from the settings on."""

import json

import pytest

from dragoman.clock import SystemClock, TimerWheel
from dragoman.house.networks import networks_of
from dragoman.house.suppliers import supplier
from dragoman.providers.gigachat import Contour, GigaChat
from dragoman.settings_sources import load
from support.fake_clock import FakeClock
from support.gigachat_requests import request
from support.scripted_fetch import ScriptedFetch

OLDER, NEWEST = "GigaChat-2", "GigaChat-3-Ultra"


def make(contour):
    return GigaChat(
        name="giga",
        credentials=[],
        fetch=ScriptedFetch(lambda asked: None),
        clock=FakeClock(),
        contour=contour,
    )


def can(contour):
    """Structured output and reasoning, of an older model and of the newest."""
    facts = [make(contour).facts(model) for model in (OLDER, NEWEST)]
    return [(each.json_schema, each.reasoning) for each in facts]


def test_the_operator_may_know_better_what_models_can_do():
    assert can(Contour()) == [(False, False), (True, True)]
    assert can(Contour(json_schema=True)) == [(True, False), (True, True)]
    assert can(Contour(json_schema=False, reasoning=False)) == [(False, False), (False, False)]


@pytest.fixture
def provider(tmp_path):
    def provider(settings):
        file = tmp_path / "dragoman.toml"
        file.write_text(f'[providers.gigachat]\naccess_token = "t"\n{settings}', encoding="utf-8")
        loaded = load({}, config=file, environ={}, cwd=tmp_path)
        block, clock = loaded.providers["gigachat"], SystemClock()
        networks = networks_of(block, clock, TimerWheel(0.0))
        return supplier("gigachat", block, networks, clock)[0]

    return provider


def sent(provider, model=NEWEST):
    dialect = provider.dialect(model)
    body = dialect.write_request(request(), provider.facts(model)).body
    return json.loads(b"".join(body)), dialect


def test_settings_reach_the_requests(provider):
    body, dialect = sent(provider(""))
    assert set(body) == {"model", "messages"}
    assert dialect.session_line is not None
    body, dialect = sent(
        provider(
            'default_max_tokens = 7\ndefault_reasoning_effort = "low"\nsession_ids = false\n'
            'schema_level = "minimal"'
        )
    )
    assert (body["max_tokens"], body["reasoning_effort"]) == (7, "low")
    assert dialect.session_line is None
    silent = provider('default_reasoning_effort = "low"\nreasoning = false')
    assert "reasoning_effort" not in sent(silent)[0]
    assert not provider('structured_output = "function"').facts(NEWEST).json_schema
    assert provider('structured_output = "native"').facts(OLDER).json_schema
