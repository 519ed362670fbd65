"""The programs that Dragoman replaces: their flags and variables, in terms of our settings.

Nothing else in the house knows those names.
"""
