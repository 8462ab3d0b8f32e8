"""From decoded pictures to upright RGB: orientation and transparency, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to turn and mirror a picture: transpose first, then flip."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: tuple[int, ...]) -> Orientation:
        """Read the nine numbers of a container's display matrix.

        A pixel (x, y) is shown at (a x + c y, b x + d y) with the matrix a b u / c d v / x y w;
        angles between the right ones are taken to the nearest
        (https://ffmpeg.org/doxygen/trunk/group__lavu__video__display.html).
        """
        a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
        if abs(a) >= abs(b):
            return cls(transpose=False, flip_rows=d < 0, flip_columns=a < 0)
        return cls(transpose=True, flip_rows=b < 0, flip_columns=c < 0)

    @property
    def is_identity(self) -> bool:
        """Whether pictures stay as they are."""
        return not (self.transpose or self.flip_rows or self.flip_columns)

    def apply(self, picture_HWC: Pixels) -> Pixels:
        """The picture as it is meant to be seen (a view)."""
        if self.transpose:
            picture_HWC = picture_HWC.transpose(1, 0, 2)
        if self.flip_rows:
            picture_HWC = picture_HWC[::-1]
        if self.flip_columns:
            picture_HWC = picture_HWC[:, ::-1]
        return picture_HWC

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after `apply`."""
        return (width, height) if self.transpose else (height, width)


def over_white(picture_HW4: Pixels) -> Pixels:
    """RGBA on a white page, as a browser shows a transparent GIF; H x W x 3 uint8."""
    alpha = picture_HW4[..., 3:].astype(np.uint16)
    if alpha.min(initial=255) == 255:
        return picture_HW4[..., :3]
    colour = picture_HW4[..., :3].astype(np.uint16)
    mixed: Pixels = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return mixed
