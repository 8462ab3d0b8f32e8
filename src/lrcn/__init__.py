"""Software that watches: LRCN for activity recognition and description.

Public names load on first use, so that `import lrcn` stays fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lrcn.version import __version__

if TYPE_CHECKING:
    from lrcn.predict.describe import Describer
    from lrcn.predict.predictor import Predictor, load

_WHERE = {
    "Describer": "lrcn.predict.describe",
    "Predictor": "lrcn.predict.predictor",
    "load": "lrcn.predict.predictor",
}

__all__ = ["Describer", "Predictor", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'lrcn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
