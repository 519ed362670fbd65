"""Dragoman: an LLM gateway that loses nothing in translation without saying so."""

__version__ = "0.1.0"
