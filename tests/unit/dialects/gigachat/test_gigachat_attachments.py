"""Media become places for file ids, filled when the files are there."""

import json

import pytest
from msgspec import structs

from dragoman.canonical.conversation import (
    Media,
    MediaKind,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.canonical.request import FormatKind, OutputFormat, Tool, ToolChoice, ToolMode
from dragoman.dialects.gigachat.attachments import Shown, Slots
from dragoman.errors import UnsupportedByTarget
from support.gigachat_requests import PLAIN, called, request, result, said, user, write

TOOL = Tool("f", "Does it", {"type": "object", "properties": {}})


def media(kind=MediaKind.IMAGE, **members):
    return Media(kind=kind, media_type=None, data="AAAA", **members)


def call():
    return ToolCall("c1", "f", "{}")


def shows(*parts, role=Role.USER):
    return Message(role, parts)


def written(*messages, facts=None, **members):
    return write(request(*messages, **members), *([facts] if facts else []))


def test_a_picture_is_an_attachment_of_its_message():
    body, record = written(shows(Text("What?"), media()))
    assert body["messages"] == [{"role": "user", "content": "What?", "attachments": [""]}]
    (attachment,) = record.attachments
    assert (attachment.path, attachment.turn) == ("messages[0].content[1]", 0)
    assert record.fidelity.adjusted == []


def test_the_body_is_complete_once_the_files_are_there_and_again_with_others():
    _, record = written(
        said(Role.SYSTEM, "S"), shows(media(), Text("a")), said(Role.ASSISTANT, "b"), shows(media())
    )
    for ids in (["1", "2"], ["3", "4"]):
        stored = [
            structs.replace(each.media, file_id=name, data=None)
            for each, name in zip(record.attachments, ids, strict=True)
        ]
        sent = json.loads(b"".join(record.with_media(stored)))["messages"]
        assert [message.get("attachments") for message in sent] == [
            None,
            [ids[0]],
            None,
            [ids[1]],
        ]
    assert [each.turn for each in record.attachments] == [1, 3]


def test_version_2_names_files_in_a_part():
    slots = Slots()
    shown = [Shown(media(), "a"), Shown(media(), "b")]
    body = {"content": [{"text": "x"}, slots.part(shown, 3)]}
    assert body["content"][1] == {"files": [{"id": ""}, {"id": ""}]}
    assert [(each.path, each.turn) for each in slots.attachments] == [("a", 3), ("b", 3)]
    stored = [structs.replace(media(), file_id=name, data=None) for name in ("1", "2")]
    sent = json.loads(b"".join(slots.fill(body, stored)))
    assert sent["content"][1] == {"files": [{"id": "1"}, {"id": "2"}]}


def test_a_message_may_hold_nothing_but_a_picture():
    body, _ = written(shows(media()))
    assert body["messages"] == [{"role": "user", "content": "", "attachments": [""]}]


def test_neighbours_become_one_message_with_all_their_pictures():
    body, record = written(shows(media(), Text("a")), user("b"), shows(Text("c"), media()))
    assert body["messages"] == [{"role": "user", "content": "a\n\nb\n\nc", "attachments": ["", ""]}]
    assert [each.path for each in record.attachments] == [
        "messages[0].content[0]",
        "messages[2].content[1]",
    ]
    assert {each.turn for each in record.attachments} == {0}


def test_what_a_tool_shows_the_user_shows_afterwards():
    shown = ToolResult("c1", "f", (Text("done"), media()))
    body, record = written(user("a"), called(call()), Message(Role.TOOL, (shown,)), user("b"))
    assert body["messages"][2:] == [
        {"role": "function", "name": "f", "content": '{"result":"done"}'},
        {"role": "user", "content": "What f shows:\n\nb", "attachments": [""]},
    ]
    assert record.attachments[0].path == "messages[2].content[1]"
    assert record.fidelity.adjusted == ["messages[2]:media in a result->user message"]


def test_a_result_of_pictures_alone_says_where_they_are():
    shown = ToolResult("c1", "f", (media(),))
    body, _ = written(user("a"), called(call()), Message(Role.TOOL, (shown,)))
    assert body["messages"][2]["content"] == '{"result":"See below."}'
    assert body["messages"][3]["attachments"] == [""]


def test_what_nobody_asked_for_is_shown_too():
    shown = ToolResult("c9", "f", (Text("x"), media()))
    body, _ = written(user("a"), Message(Role.TOOL, (shown,)))
    assert body["messages"] == [{"role": "user", "content": "a\n\nf: x", "attachments": [""]}]


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.DEVELOPER, Role.ASSISTANT])
@pytest.mark.parametrize("place", [0, 1])
def test_only_users_show_pictures(role, place):
    given = [user("a"), user("a")]
    given[place] = shows(Text("a"), media(), role=role)
    with pytest.raises(UnsupportedByTarget) as refusal:
        written(*given, user("b"))
    assert refusal.value.param == f"messages[{place}].content[1]"


def test_videos_are_refused():
    with pytest.raises(UnsupportedByTarget, match="no videos") as refusal:
        written(shows(media(MediaKind.VIDEO)))
    assert refusal.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("extras", "dropped"),
    [
        ({"payload": {"detail": "low"}}, []),
        ({"cache_control": {}}, []),
        ({"payload": {"other": 1}}, ["messages[].content[].other"]),
        ({"more": 2}, ["messages[].content[].more"]),
    ],
)
def test_members_of_a_part_are_passed_over_or_named(extras, dropped):
    _, record = written(shows(media(extras={"openai_chat": extras})))
    assert record.fidelity.dropped == dropped


# A document is opened by a built-in function.


def test_a_document_needs_functions_to_be_allowed():
    body, record = written(shows(media(MediaKind.DOCUMENT)))
    assert body["function_call"] == "auto"
    assert record.fidelity.adjusted == []
    body, _ = written(shows(media(MediaKind.AUDIO)))
    assert "function_call" not in body


def test_tools_that_must_not_be_called_make_room_for_it():
    body, record = written(
        shows(media(MediaKind.DOCUMENT)), tools=(TOOL,), tool_choice=ToolChoice(ToolMode.NONE)
    )
    assert body["function_call"] == "auto"
    assert "functions" not in body
    assert record.fidelity.adjusted == ["tool_choice:none->no tools"]


def test_tools_that_may_be_called_stay():
    body, _ = written(
        shows(media(MediaKind.DOCUMENT)), tools=(TOOL,), tool_choice=ToolChoice(ToolMode.AUTO)
    )
    assert body["function_call"] == "auto"
    assert [function["name"] for function in body["functions"]] == ["f"]


def test_a_forced_tool_leaves_no_room():
    with pytest.raises(UnsupportedByTarget, match="document") as refusal:
        written(
            shows(media(MediaKind.DOCUMENT)),
            tools=(TOOL,),
            tool_choice=ToolChoice(ToolMode.NAMED, "f"),
        )
    assert refusal.value.param == "tool_choice"


def test_a_schema_on_an_older_model_leaves_no_room():
    schema = OutputFormat(FormatKind.JSON_SCHEMA, "x", schema={"type": "object", "properties": {}})
    with pytest.raises(UnsupportedByTarget) as refusal:
        written(shows(media(MediaKind.DOCUMENT)), facts=PLAIN, output_format=schema)
    assert refusal.value.param == "response_format"
    body, _ = written(shows(media(MediaKind.DOCUMENT)), output_format=schema)
    assert body["function_call"] == "auto"


def test_results_without_media_are_as_before():
    body, record = written(user("a"), called(call()), result("c1", "{}"))
    assert len(body["messages"]) == 3
    assert record.attachments == ()
    assert record.with_media is None
