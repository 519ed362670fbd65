"""What one side says before the other speaks, and the order in which the API wants it.

Source: Anthropic's API reference, "Create a Message", and its answers to what it refuses: turns of
one side are one message; the first is the user's; every call is answered in the very next message,
results before everything else; nothing is empty.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from dragoman.canonical.fidelity import Fidelity
from dragoman.errors import InvalidRequest

Block = dict[str, Any]

MISSING: Final = "Tool result missing"
FIRST: Final = "."
"""What the user is made to say where the model has spoken first."""


class Turn(Struct):
    """One message on the wire."""

    role: str
    """``system`` here is what an instruction between the turns begins as."""
    place: str
    """Where the caller wrote its last message."""
    content: list[Block] = []
    results: dict[str, Block] = {}
    """Wire id of a call -> its result; of the user's turns."""
    original: str = ""
    """The caller's word for the role of an instruction."""

    def blocks(self) -> list[Block]:
        """Results first."""
        return [*self.results.values(), *self.content]

    def take(self, other: Turn) -> None:
        """Add what ``other`` says, which follows."""
        self.content += other.content
        self.results |= other.results
        self.place = other.place


def arrange(turns: list[Turn], fidelity: Fidelity, *, inline_system: bool) -> list[Turn]:
    """The messages as the API takes them."""
    turns = [turn for turn in turns if turn.content or turn.results]
    turns = _place_instructions(turns, fidelity, inline_system=inline_system)
    turns = _joined(turns)
    if turns and turns[0].role != "user":
        fidelity.adjust("messages", "assistant first", "user first")
        turns.insert(0, Turn("user", turns[0].place, [{"type": "text", "text": FIRST}]))
    return _answered(turns, fidelity)


def _joined(turns: list[Turn]) -> list[Turn]:
    """Neighbours of one role become one turn."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            joined[-1].take(turn)
        else:
            joined.append(turn)
    return joined


def _place_instructions(
    turns: list[Turn], fidelity: Fidelity, *, inline_system: bool
) -> list[Turn]:
    """Instructions between the turns stay there where the model heeds them; else the user's
    neighbouring turn repeats them, marked as such.
    """
    turns = _joined(turns)
    placed: list[Turn] = []
    for number, turn in enumerate(turns):
        if turn.role != "system":
            placed.append(turn)
            continue
        after = turns[number + 1].role if number + 1 < len(turns) else "assistant"
        if inline_system and placed and placed[-1].role == "user" and after == "assistant":
            placed.append(turn)
            continue
        fidelity.adjust(f"{turn.place}.role", turn.original, "system-reminder")
        for block in turn.content:
            block["text"] = f"<system-reminder>\n{block['text']}\n</system-reminder>"
        placed.append(Turn("user", turn.place, turn.content))
    return placed


def _answered(turns: list[Turn], fidelity: Fidelity) -> list[Turn]:
    """Every call has its result in the next turn, and every result its call in the one before."""
    answered: list[Turn] = []
    for number, turn in enumerate(turns):
        answered.append(turn)
        calls = [block["id"] for block in turn.content if block["type"] == "tool_use"]
        if not calls:
            continue
        following = turns[number + 1] if number + 1 < len(turns) else None
        if following is None or following.role != "user":
            following = Turn("user", turn.place)
            answered.append(following)
        for call in calls:
            if call not in following.results:
                fidelity.adjust(f"{turn.place}.tool_calls", "no result", "placeholder")
                following.results[call] = {
                    "type": "tool_result",
                    "tool_use_id": call,
                    "content": MISSING,
                    "is_error": True,
                }
    return answered


def begun_answer(turns: list[Turn]) -> Turn | None:
    """The last turn, if it is the model's: an answer that the caller has begun. Its end loses its
    white space. Raises ``InvalidRequest`` where nothing but thoughts is left of it.
    """
    last = turns[-1]
    if last.role != "assistant":
        return None
    final = last.content[-1]
    if final["type"] == "text":
        final["text"] = final["text"].rstrip()
    elif final["type"] != "tool_use":
        raise InvalidRequest(
            "The last message holds no words to go on with. Leave it out.", param=last.place
        )
    return last
