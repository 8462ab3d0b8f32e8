"""What happens when, for users of a predictor; the rule itself is shared with evaluation."""

from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import find_segments

__all__ = ["SegmentConfig", "find_segments"]
