"""Upstreams that need no account: strict, deterministic, with faults on request.

``server`` starts them on one port; ``gigachat`` and ``openai`` are the upstreams, each with its
``_rules`` (what is refused) and ``_answers`` (what is said); ``chatter``, ``selection`` and
``schemas`` decide what a model without a mind says; ``faults``, ``delivery`` and ``wire`` misbehave
on request; ``journal`` and ``control`` let a test or a person look and steer. Nothing of the
gateway's own wire code is used here: the simulators are independent witnesses of what it sends.
"""
