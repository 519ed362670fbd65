"""Commands; thin."""


def main() -> None:
    """Entry point of ``dragoman``."""
