"""Huggin: record what happens inside a model while it is fine-tuned, and draw it."""

__version__ = "0.2.0"
