"""How large the large tests are: small by default, in full when the environment asks for it."""

import os


def scaled(small: int, full: int) -> int:
    """``full`` with ``DRAGOMAN_TEST_SCALE=full``, else ``small``."""
    return full if os.environ.get("DRAGOMAN_TEST_SCALE") == "full" else small
