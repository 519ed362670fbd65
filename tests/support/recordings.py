"""Real traffic beside the repository, where there is any; nothing fails where there is none."""

import base64
import json
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
SAMPLES = ROOT / "tests" / "replay" / "samples"


@lru_cache(maxsize=32)
def exchanges(api):
    """The recorded exchanges of ``api`` (``openai.chat.stream``) as dicts."""
    path = SHARED / "recordings" / f"{api}.jsonl"
    if not path.exists():
        return ()
    with path.open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


def answer_bytes(exchange):
    """The body of the recorded answer."""
    answer = exchange["response"]
    body = answer["body"]
    return base64.b64decode(body) if answer["encoding"] == "base64" else body.encode()


def client_requests(pattern):
    """``(name, request)`` of what real clients sent; ``pattern`` such as ``openai-chat*.json``."""
    found = sorted((SHARED / "client-requests").glob(f"*/{pattern}"))
    return [(f"{p.parent.name}/{p.stem}", json.loads(p.read_text("utf-8"))) for p in found]


def samples(dialect, ending):
    """``(name, bytes)`` of the repository's own samples."""
    return [(p.name, p.read_bytes()) for p in sorted((SAMPLES / dialect).glob(f"*{ending}"))]
