"""A flight recorder for fine-tuning, and a viewer for what it recorded."""

__version__ = "0.2.0"
