"""Builds one gateway from settings; the only package that knows everyone.

``house`` puts the parts together. ``suppliers`` builds the providers, ``networks`` how they are
reached, ``porters`` what takes media to them, ``guesthouse`` what callers with credentials of
their own need, ``annexe`` what is beside the conversations.
"""

from __future__ import annotations

from dragoman.house.house import House, all_secrets

__all__ = ["House", "all_secrets"]
