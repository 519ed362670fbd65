"""The models of the Anthropic simulator, and what each of them takes."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from dragoman.simulators.refusals import Refusal

_DATE = re.compile(r"-\d{8}$")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What the real service accepts for one model."""

    name: str
    max_tokens: int = 128_000
    thinking: frozenset[str] = frozenset({"adaptive", "disabled"})
    """The types of ``thinking`` that are taken."""
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    sampling: Literal["all", "one", "none"] = "none"
    prefill: bool = False
    system_turns: Literal["heeded", "ignored", "refused"] = "refused"
    forced_choice: bool = True
    schemas: bool = True
    documents: bool = True
    thinks_always: bool = False

    def item(self) -> dict[str, Any]:
        """The model as ``GET /v1/models`` shows it."""
        efforts = {
            word: {"supported": word in self.efforts}
            for word in ("low", "medium", "high", "xhigh", "max")
        }
        types = {word: {"supported": word in self.thinking} for word in ("enabled", "adaptive")}
        thinks = any(item["supported"] for item in types.values())
        return {
            "type": "model",
            "id": self.name,
            "display_name": self.name.replace("-", " ").title(),
            "created_at": "2026-01-01T00:00:00Z",
            "max_input_tokens": 200_000,
            "max_tokens": self.max_tokens,
            "capabilities": {
                "effort": {"supported": bool(self.efforts), **efforts},
                "image_input": {"supported": True},
                "pdf_input": {"supported": self.documents},
                "structured_outputs": {"supported": self.schemas},
                "thinking": {"supported": thinks, "types": types},
            },
        }


_BUDGET: Final = frozenset({"enabled", "disabled"})
_BOTH: Final = frozenset({"enabled", "adaptive", "disabled"})


def _older(name: str, max_tokens: int, **members: Any) -> Model:
    usual = {"thinking": _BUDGET, "efforts": (), "sampling": "one", "prefill": True}
    return Model(name=name, max_tokens=max_tokens, **{**usual, **members})


def _both(name: str) -> Model:
    efforts = ("low", "medium", "high", "max")
    return Model(name=name, thinking=_BOTH, efforts=efforts, sampling="one")


_NEVER: Final = frozenset({"disabled"})
MODELS: Final = {
    model.name: model
    for model in (
        Model(name="claude-opus-5", system_turns="heeded"),
        Model(name="claude-sonnet-5", system_turns="ignored"),
        Model(
            name="claude-fable-5",
            system_turns="heeded",
            forced_choice=False,
            thinking=frozenset({"adaptive"}),
            thinks_always=True,
        ),
        Model(name="claude-opus-4-8", system_turns="heeded"),
        Model(name="claude-opus-4-7"),
        _both("claude-opus-4-6"),
        _both("claude-sonnet-4-6"),
        _older("claude-opus-4-5", 64_000, efforts=("low", "medium", "high")),
        _older("claude-sonnet-4-5", 64_000),
        _older("claude-haiku-4-5", 64_000),
        _older("claude-opus-4-1", 32_000),
        _older("claude-sonnet-4-0", 64_000, schemas=False, sampling="all"),
        _older("claude-3-5-haiku-latest", 8192, schemas=False, sampling="all", thinking=_NEVER),
        _older(
            "claude-3-haiku-20240307",
            4096,
            schemas=False,
            sampling="all",
            thinking=_NEVER,
            documents=False,
        ),
    )
}


def known_model(name: Any) -> Model:
    """The model, whether it is called with its date or without. Raises ``Refusal``."""
    text = str(name)
    model = MODELS.get(text) or MODELS.get(_DATE.sub("", text))
    if model is None:
        raise Refusal(404, f"model: {text}")
    return model
