"""Who may use which credential, and when.

``keys`` is one key with its states and what the end of a loan says about it, ``choice`` which
of the free keys comes first, ``scheduler`` the whole decision with its fair queue, ``refusals``
how a refusal is worded: all pure, with the time as an argument. ``broker`` carries the
decisions out on the event loop, ``leases`` is what the rest of the house holds of it,
``snapshot`` what a page may see. One broker for each provider.
"""
