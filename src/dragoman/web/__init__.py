"""HTTP in: everything a client or an operator can reach.

``paths`` says what a path is, ``reply`` spells the heads of answers, ``arrivals`` turns a
received request into what the pipeline takes. ``protocol`` serves conversations by callbacks
inside the server's own connection class; ``asgi`` serves the same as one plain ASGI callable.
``pages`` has the rest: models, health, metrics.
"""
