"""A few frames of a video side by side, as one picture inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np

from lrcn.errors import LrcnError
from lrcn.video.source import open_video

NUM_FRAMES = 6
_HEIGHT_PX = 120
_GAP_PX = 4


def film_strip(
    path: str, *, start_seconds: float | None = None, end_seconds: float | None = None
) -> str | None:
    """Frames spread over a video (or its interval) as a JPEG data URI; None if unreadable."""
    from PIL import Image

    try:
        with open_video(path, start_seconds=start_seconds, end_seconds=end_seconds) as video:
            indices = video.frame_range()
            # Middles of equal parts: the first and last frames are often black.
            places = (np.arange(NUM_FRAMES) + 0.5) * len(indices) / NUM_FRAMES
            frames_TCHW = video.read([indices[int(p)] for p in places]).frames_TCHW
    except (LrcnError, OSError, ValueError, IndexError):
        return None
    pictures = [Image.fromarray(f.permute(1, 2, 0).contiguous().numpy()) for f in frames_TCHW]
    width = max(1, round(_HEIGHT_PX * pictures[0].width / pictures[0].height))
    strip = Image.new(
        "RGB", (NUM_FRAMES * width + (NUM_FRAMES - 1) * _GAP_PX, _HEIGHT_PX), (128, 128, 128)
    )
    for i, picture in enumerate(pictures):
        strip.paste(picture.resize((width, _HEIGHT_PX)), (i * (width + _GAP_PX), 0))
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
