"""Huggin: record what happens inside a model while it is fine-tuned, draw it, and ask the model.

Names are imported when they are used. The list of them is in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
