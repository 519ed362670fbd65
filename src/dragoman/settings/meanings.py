"""What a setting means: the text under its field in ``tree.py``.

Read from the source when somebody asks, which is when a message is written or the reference is
made. Pydantic could collect these texts as the models are built; that takes almost half of the
gateway's whole start.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache

from pydantic import BaseModel


def meaning_of(block: type[BaseModel], field: str) -> str:
    """The text under ``field`` of ``block`` or of the base that declares it; empty without one."""
    for model in block.__mro__:
        text = _texts(model).get(field)
        if text is not None:
            return text
    return ""


@cache
def _texts(model: type) -> dict[str, str]:
    """Field -> text, for the fields that ``model`` itself declares."""
    if not issubclass(model, BaseModel) or model is BaseModel:
        return {}
    (declared,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(declared, ast.ClassDef)  # noqa: S101  # the source of a class is a class
    texts = {}
    for statement, following in zip(declared.body, declared.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = inspect.cleandoc(text)
    return texts
