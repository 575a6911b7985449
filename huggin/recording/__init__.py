"""The front door for Python: record a model in training, read what was recorded.

Names are imported when they are used, so that reading a recording does not load torch.
The list of them is in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
