"""Flow to look at: the colour wheel, and a sheet with frames, wheel colours and flow image.

The colours are those of the Middlebury benchmark: hue is the direction, paleness the slowness,
white no motion (Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2011).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lrcn.structures import FlowConfig
from lrcn.video.flow import Flow, flow_image
from lrcn.video.pixels import Pixels

_ARCS = (
    # Steps, and which of red, green, blue is full, and which rises or falls.
    (15, (1, 0, 0), (0, 1, 0)),
    (6, (1, 1, 0), (-1, 0, 0)),
    (4, (0, 1, 0), (0, 0, 1)),
    (11, (0, 1, 1), (0, -1, 0)),
    (13, (0, 0, 1), (1, 0, 0)),
    (6, (1, 0, 1), (0, 0, -1)),
)
"""Red to yellow, green, cyan, blue, magenta and back: more steps where eyes see more hues."""

_GAP_PX = 4


def flow_colours(flow_HW2: Flow, *, largest_px: float | None = None) -> Pixels:
    """Each pixel's motion as a colour, uint8 H x W x 3.

    Args:
        flow_HW2: In pixels, x to the right and y down.
        largest_px: Motion that gets full colour; longer motion is darkened. By default the largest
            in the picture.
    """
    length_HW = np.hypot(flow_HW2[..., 0], flow_HW2[..., 1])
    largest = float(length_HW.max(initial=0)) if largest_px is None else largest_px
    share_HW = length_HW / max(largest, 1e-6)
    angle_HW = np.arctan2(-flow_HW2[..., 1], -flow_HW2[..., 0]) / np.pi
    wheel = _wheel()
    place_HW = (angle_HW + 1) / 2 * (len(wheel) - 1)
    first_HW = np.floor(place_HW).astype(np.int64)
    part_HW1 = (place_HW - first_HW)[..., None]
    next_HW = (first_HW + 1) % len(wheel)
    full = (1 - part_HW1) * wheel[first_HW] + part_HW1 * wheel[next_HW]
    share_HW1 = share_HW[..., None]
    colours = np.where(share_HW1 <= 1, 1 - share_HW1 * (1 - full), full * 0.75)
    pixels: Pixels = np.rint(colours * 255).astype(np.uint8)
    return pixels


def colour_key(side_px: int) -> Pixels:
    """The wheel itself, a disc on white: the colour at a place is that of motion towards it."""
    half = (side_px - 1) / 2
    y, x = np.mgrid[:side_px, :side_px].astype(np.float32)
    flow_HW2 = (np.stack([x - half, y - half], axis=-1) / max(half, 1)).astype(np.float32)
    outside = np.hypot(flow_HW2[..., 0], flow_HW2[..., 1]) > 1
    key = flow_colours(flow_HW2, largest_px=1.0)
    key[outside] = 255
    return key


def flow_sheet(before_HWC: Pixels, after_HWC: Pixels, flow_HW2: Flow, config: FlowConfig) -> Pixels:
    """Four pictures: both frames above; below the flow in wheel colours, and the flow image.

    The wheel stands in the corner of the third. Frames and flow may differ in size; frames are cut
    or reduced to the size of the flow by taking the nearest pixels.
    """
    height, width = flow_HW2.shape[:2]
    above = _beside(_nearest(before_HWC, height, width), _nearest(after_HWC, height, width))
    below = flow_pair(flow_HW2, flow_image(flow_HW2, config))
    gap = np.full((_GAP_PX, above.shape[1], 3), 255, np.uint8)
    return np.concatenate([above, gap, below])


def flow_pair(flow_HW2: Flow, image_HWC: Pixels) -> Pixels:
    """The flow in wheel colours, the wheel in its corner, and beside it the flow image."""
    height, width = flow_HW2.shape[:2]
    colours = flow_colours(flow_HW2)
    side = min(max(min(height, width) // 4, 3), height, width)
    colours[:side, width - side :] = colour_key(side)
    return _beside(colours, image_HWC)


def _wheel() -> NDArray[np.float64]:
    """The 55 hues, 0 to 1."""
    hues = [
        np.asarray(start, float) + np.asarray(change, float) * (step / steps)
        for steps, start, change in _ARCS
        for step in range(steps)
    ]
    return np.stack(hues)


def _beside(left: Pixels, right: Pixels) -> Pixels:
    gap = np.full((left.shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def _nearest(picture_HWC: Pixels, height: int, width: int) -> Pixels:
    rows = np.arange(height) * picture_HWC.shape[0] // height
    columns = np.arange(width) * picture_HWC.shape[1] // width
    return np.ascontiguousarray(picture_HWC[rows][:, columns])
