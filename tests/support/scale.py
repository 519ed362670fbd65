"""How large the large tests are: small by default, in full when the environment asks for it."""

import os
from itertools import chain

FULL = os.environ.get("DRAGOMAN_TEST_SCALE") == "full"


def scaled(small: int, full: int) -> int:
    """``full`` with ``DRAGOMAN_TEST_SCALE=full``, else ``small``."""
    return full if FULL else small


def one_in(every, items, *, kind, size):
    """All ``items`` with ``DRAGOMAN_TEST_SCALE=full``; else one in ``every`` of each
    ``kind(item)``, at least one of each, spread over their sizes and always the same.
    """
    if FULL:
        return list(items)
    kinds = {}
    for item in items:
        kinds.setdefault(kind(item), []).append(item)
    ordered = [sorted(group, key=size) for group in kinds.values()]
    middles = (group[(min(every, len(group)) - 1) // 2 :: every] for group in ordered)
    return list(chain.from_iterable(middles))
