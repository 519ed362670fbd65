"""What operators see of the running house: logs, request records, metrics; masked.

``records`` is what is known of a finished request, ``masking`` keeps secrets out of text,
``logging`` writes events, ``request_log`` a line for each request; ``metrics`` counts with the
plain numbers of ``counts``, and ``exposition`` spells them for Prometheus. ``traffic`` writes whole
conversations down where that is wanted, ``bodies`` says how much of them may be seen. ``journals``
holds the files, which a ``worker`` writes in a thread of its own (``log_file``). Nothing here knows
a dialect or a provider.
"""
