"""What callers ask for besides conversations: vectors, token counts, files, lists of models.

``desk`` is what all of them share: who asks, where it goes, how it is settled. ``embeddings``,
``token_counts``, ``models`` and ``health`` each have one operation. They call upstreams through
``errands`` and are served by ``web/operations.py``.
"""
