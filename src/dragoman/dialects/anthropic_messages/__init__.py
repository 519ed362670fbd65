"""Anthropic's Messages API, as Claude speaks it on every cloud.

``answers`` and ``stream`` read what comes back, ``errors`` what comes instead, ``wire`` what
these share.
"""
