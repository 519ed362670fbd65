"""Dragoman: an LLM gateway that loses nothing in translation without saying so."""

from importlib.metadata import version

__version__ = version("dragoman")
