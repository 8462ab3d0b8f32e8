"""What a recogniser believes of a video: a few nodes, each with a distribution over its labels.

::

    file ─ read_semantics ─► {item_id: {node: {label: probability}}} ─ LabelSpace ─► features_TD
"""

from __future__ import annotations

from lrcn.data.semantics.items import SemanticSource
from lrcn.data.semantics.read import Beliefs, Semantics, read_semantics
from lrcn.data.semantics.space import LabelSpace, SemanticForm

__all__ = ["Beliefs", "LabelSpace", "SemanticForm", "SemanticSource", "Semantics", "read_semantics"]
