"""Values held against files; ``DRAGOMAN_GOLDEN_UPDATE=1`` rewrites these."""

import json
import os
from pathlib import Path
from typing import Any

UPDATE = os.environ.get("DRAGOMAN_GOLDEN_UPDATE") == "1"  # noqa: TID251 - a switch for developers


def compare(path: Path, value: Any) -> None:
    """``value`` is what ``path`` holds; ``None`` means that there is no such file."""
    if UPDATE:
        if value is None:
            path.unlink(missing_ok=True)
        else:
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
            path.write_text(text, encoding="utf-8")
    elif value is None:
        assert not path.exists()
    else:
        expected = json.loads(path.read_text(encoding="utf-8"))
        assert value == expected
        assert json.dumps(value) == json.dumps(expected), "the order of members counts too"
