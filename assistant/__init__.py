"""An on-device chat assistant that remembers. Start reading at `conversation/engine.py`."""

from typing import Final

__version__: Final = "0.1.0"
