"""Functions, built-in tools and the choice among them."""

import pytest
from msgspec import Raw
from msgspec.json import encode

from dragoman.canonical.request import (
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.gigachat import v2
from dragoman.dialects.gigachat.preferences import Preferences
from dragoman.dialects.gigachat.v2.built_in import built_in_name
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import ALL, PLAIN, request, write

F, G = Tool("f", "Does f.", None), Tool("g", "Does g.", None)
SEARCH = {"type": "web_search"}
CODE = {"type": "code_interpreter"}


def written(*tools, choice=None, hosted=(), facts=ALL, **members):
    """``hosted`` are entries of ``tools`` that are no functions, ahead of the functions."""
    extras = {f"tools[{at}]": Raw(encode(tool)) for at, tool in enumerate(hosted)}
    extras |= members.pop("extras", {})
    asked = request(tools=tools, tool_choice=choice, extras={"openai_chat": extras}, **members)
    return write(asked, facts, v2.UPSTREAM)


def config(*tools, **members):
    return written(*tools, **members)[0]["tool_config"]


def named(name):
    return ToolChoice(ToolMode.NAMED, name)


REQUIRED = ToolChoice(ToolMode.REQUIRED)


def test_all_functions_stand_in_one_entry_and_built_in_tools_in_their_own():
    body, record = written(F, G, hosted=[SEARCH, CODE])
    assert list(body["tools"][0]) == ["functions"]
    assert [f["name"] for f in body["tools"][0]["functions"]["specifications"]] == ["f", "g"]
    assert body["tools"][1:] == [{"web_search": {}}, {"code_interpreter": {}}]
    assert body["tool_config"] == {"mode": "auto"}
    assert record.fidelity.grade == "exact"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"choice": None}, {"mode": "auto"}),
        ({"choice": ToolChoice(ToolMode.NONE)}, {"mode": "none"}),
        ({"choice": named("g")}, {"mode": "forced", "function_name": "g"}),
        ({"choice": REQUIRED}, {"mode": "any"}),
        ({"choice": REQUIRED, "hosted": [SEARCH]}, {"mode": "any"}),
        (
            {"choice": ToolChoice(ToolMode.REQUIRED, allowed=("f",))},
            {"mode": "forced", "function_name": "f"},
        ),
        ({"choice": ToolChoice(ToolMode.REQUIRED, allowed=("f", "g"))}, {"mode": "any"}),
    ],
)
def test_the_mode_says_what_the_choice_said(members, expected):
    assert config(F, G, **members) == expected


def test_some_call_of_one_function_is_that_function():
    assert config(F, choice=REQUIRED) == {"mode": "forced", "function_name": "f"}


def test_some_call_of_a_subset_names_the_subset_and_keeps_the_others_for_the_cache():
    choice = ToolChoice(ToolMode.REQUIRED, allowed=("h", "f"))
    body, _ = written(F, G, Tool("h", None, None), choice=choice)
    assert body["tool_config"] == {"mode": "any", "functions_names_any": ["f", "h"]}
    assert len(body["tools"][0]["functions"]["specifications"]) == 3


def test_a_free_choice_of_a_subset_offers_the_subset_alone():
    choice = ToolChoice(ToolMode.AUTO, allowed=("g",))
    body, record = written(F, G, choice=choice, hosted=[SEARCH])
    (entry,) = body["tools"]
    assert [f["name"] for f in entry["functions"]["specifications"]] == ["g"]
    assert record.fidelity.dropped == ["tools[].web_search"]


def chosen(kind):
    return {"tool_choice": Raw(encode({"type": kind}))}


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview"])
def test_a_built_in_tool_can_be_forced(kind):
    expected = {"mode": "forced", "tool_name": "web_search"}
    assert config(F, hosted=[SEARCH], extras=chosen(kind)) == expected
    assert config(hosted=[SEARCH], choice=REQUIRED) == expected


@pytest.mark.parametrize(
    ("tools", "members", "kind"),
    [
        ((F,), {"choice": named("x")}, InvalidRequest),
        ((), {"choice": REQUIRED}, InvalidRequest),
        ((F,), {"choice": ToolChoice(ToolMode.REQUIRED, allowed=())}, InvalidRequest),
        ((F,), {"extras": chosen("image_generation")}, InvalidRequest),
        ((), {"choice": REQUIRED, "hosted": [SEARCH, CODE]}, UnsupportedByTarget),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(tools, members, kind):
    with pytest.raises(kind) as caught:
        written(*tools, **members)
    assert caught.value.param == "tool_choice"


def test_no_tools_are_not_written_at_all():
    body, _ = written(choice=ToolChoice(ToolMode.NONE))
    assert "tools" not in body
    assert "tool_config" not in body


def test_a_mistake_in_a_schema_is_reported_where_the_caller_wrote_it():
    with pytest.raises(InvalidRequest) as caught:
        written(Tool("f", None, {"type": "array"}), hosted=[SEARCH])
    assert caught.value.param == "tools[1].function.parameters"


def test_a_function_called_like_a_built_in_tool_gets_another_name():
    body, record = written(Tool("web_search", None, None), hosted=[SEARCH])
    (name,) = [f["name"] for f in body["tools"][0]["functions"]["specifications"]]
    assert record.tool_names == {name: "web_search"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("web_search", "web_search"),
        ("web_search_2025_08_26", "web_search"),
        ("web_search_preview", "web_search"),
        ("web_search_preview_2025_03_11", "web_search"),
        ("code_interpreter", "code_interpreter"),
        ("image_generation", "image_generate"),
        ("image_generate", "image_generate"),
        ("url_content_extraction", "url_content_extraction"),
        ("model_3d_generate", "model_3d_generate"),
        ("file_search", None),
        ("web_searching", None),
        ("computer_use_preview", None),
    ],
)
def test_callers_words_for_built_in_tools(kind, name):
    assert built_in_name(kind) == name


@pytest.mark.parametrize(
    ("tool", "settings", "dropped"),
    [
        ({"indexes": ["a"], "flags": ["b"]}, {"indexes": ["a"], "flags": ["b"]}, []),
        (
            {"web_search": {"type": "actual_info_web_search"}},
            {"type": "actual_info_web_search"},
            [],
        ),
        ({"web_search_preview": {"flags": ["b"]}}, {"flags": ["b"]}, []),
        ({"search_context_size": "medium"}, {}, []),
        ({"search_context_size": "high"}, {}, ["tools[0].search_context_size"]),
        (
            {"user_location": {"type": "approximate", "city": "Tula"}},
            {},
            ["tools[0].user_location"],
        ),
        ({"user_location": {"type": "approximate", "timezone": "Europe/Moscow"}}, {}, []),
    ],
)
def test_settings_of_the_web_search(tool, settings, dropped):
    body, record = written(hosted=[{"type": "web_search_preview", **tool}])
    assert body["tools"] == [{"web_search": settings}]
    assert record.fidelity.dropped == dropped
    has_zone = "timezone" in tool.get("user_location", {})
    assert ("user_info" in body) == has_zone


def test_settings_of_other_built_in_tools_are_dropped_by_name():
    tool = {"type": "image_generation", "size": "1024x1024", "quality": None}
    body, record = written(hosted=[tool])
    assert body["tools"] == [{"image_generate": {}}]
    assert record.fidelity.dropped == ["tools[0].size"]


def test_of_two_alike_the_first_counts():
    body, record = written(hosted=[{**SEARCH, "flags": ["a"]}, {"type": "web_search_preview"}])
    assert body["tools"] == [{"web_search": {"flags": ["a"]}}]
    assert record.fidelity.dropped == ["tools[1]"]


def test_a_setting_of_a_wrong_type_is_refused():
    with pytest.raises(InvalidRequest) as caught:
        written(hosted=[{**SEARCH, "indexes": "a"}])
    assert caught.value.param == "tools[0].indexes"


def test_the_older_way_to_ask_for_the_web_search():
    options = {"user_location": {"type": "approximate", "approximate": {"timezone": "UTC"}}}
    body, record = written(extras={"web_search_options": Raw(encode(options))})
    assert body["tools"] == [{"web_search": {}}]
    assert body["user_info"] == {"timezone": "UTC"}
    assert record.cites
    assert record.fidelity.grade == "exact"


def schema_format():
    return OutputFormat(FormatKind.JSON_SCHEMA, "x", None, {"type": "object", "properties": {}})


def test_a_schema_is_native_beside_tools():
    body, record = written(F, output_format=schema_format())
    wanted = {"type": "json_schema", "schema": {"type": "object", "properties": {}}}
    assert body["model_options"] == {"response_format": wanted}
    assert body["tool_config"] == {"mode": "auto"}
    assert record.json_tool == ""


def test_a_schema_is_a_forced_function_where_the_model_has_no_other_way():
    body, record = written(output_format=schema_format(), facts=PLAIN)
    assert body["tool_config"] == {"mode": "forced", "function_name": record.json_tool}
    none = ToolChoice(ToolMode.NONE)
    alone, _ = written(F, output_format=schema_format(), facts=PLAIN, choice=none)
    assert alone["tool_config"]["mode"] == "forced"
    with pytest.raises(UnsupportedByTarget) as caught:
        written(output_format=schema_format(), facts=PLAIN, hosted=[SEARCH])
    assert caught.value.param == "response_format"


def test_beside_other_functions_that_function_is_one_of_those_that_must_be_called():
    body, record = written(F, output_format=schema_format(), facts=PLAIN)
    names = [f["name"] for f in body["tools"][0]["functions"]["specifications"]]
    assert names == ["f", record.json_tool]
    assert body["tool_config"] == {"mode": "any"}
    forced, record = written(F, output_format=schema_format(), facts=PLAIN, choice=named("f"))
    assert forced["tool_config"] == {"mode": "forced", "function_name": "f"}
    assert record.json_tool == ""


def test_the_operators_preferences_count_where_the_caller_says_nothing():
    preferred = v2.upstream(Preferences(max_tokens=9, reasoning_effort="low", session_ids=False))
    assert preferred.session_line is None
    body, _ = write(request(), ALL, preferred)
    assert body["model_options"] == {"max_tokens": 9, "reasoning": {"effort": "low"}}
    body, _ = write(request(max_output_tokens=5, reasoning_effort="high"), ALL, preferred)
    assert body["model_options"] == {"max_tokens": 5, "reasoning": {"effort": "high"}}
    body, _ = write(request(), PLAIN, preferred)
    assert body["model_options"] == {"max_tokens": 9}


@pytest.mark.parametrize(
    ("wanted", "cites"),
    [(None, True), (OutputFormat(FormatKind.TEXT), True), (schema_format(), False)],
)
def test_only_a_text_for_people_is_given_citations(wanted, cites):
    assert written(hosted=[SEARCH], output_format=wanted)[1].cites == cites
    assert not written(hosted=[CODE], output_format=wanted)[1].cites
