"""Settings of the rendered pictures: what stands where, how large, and how hard it is to see."""

from __future__ import annotations

from dataclasses import dataclass

from lrcn.data.motion_config import SHAPES
from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean

_THIRD = 1 / 3


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """One world of pictures. Lengths in space are fractions of the picture's short side."""

    width: int = 64
    """Pixels, from 32 on."""
    height: int = 64
    """Pixels, from 32 on."""
    shape_names: tuple[str, ...] = SHAPES
    """Which shapes appear: disc, square, triangle, cross, bar."""
    two_shapes: float = 0.5
    """Share of pictures (0 to 1) that show two shapes instead of one."""
    small: tuple[float, float] = (0.07, 0.1)
    """Least and largest radius of what is called small."""
    large: tuple[float, float] = (0.15, 0.19)
    """Least and largest radius of what is called large."""
    margin: float = 0.03
    """How far every centre stays from the lines between the nine places; less is harder."""
    contrast: float = 12.0
    """Standard deviation of the background's texture, grey levels of 0 to 255."""
    noise: float = 4.0
    """Standard deviation of the noise in every pixel, grey levels of 0 to 255."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {value}; it takes {low} to {high}"
            for name, value, low, high in (
                ("width", self.width, 32, 4096),
                ("height", self.height, 32, 4096),
                ("two_shapes", self.two_shapes, 0, 1),
                ("margin", self.margin, 0, 0.1),
                ("contrast", self.contrast, 0, 80),
                ("noise", self.noise, 0, 80),
            )
            if not low <= value <= high
        ]
        problems += [*_shape_problems(self.shape_names), *self._radius_problems()]
        if problems:
            raise ConfigError("pictures: " + "; ".join(problems) + ". Change the settings.")

    @property
    def short_side(self) -> int:
        """Pixels of the smaller of width and height, the unit of every length."""
        return min(self.width, self.height)

    def _radius_problems(self) -> list[str]:
        problems = [
            f"{name} is {low} to {high}; the first is the lesser, 0.04 or more"
            for name, (low, high) in (("small", self.small), ("large", self.large))
            if not 0.04 <= low <= high
        ]
        if self.small[1] >= self.large[0]:
            problems.append(
                f"small ends at {self.small[1]} and large starts at {self.large[0]}; between them "
                "is a gap, or no size is true"
            )
        # One pixel stays between a shape and the border; a shape at the side needs a few to stand.
        most = _THIRD - self.margin - 3 / self.short_side
        if self.large[1] > most:
            problems.append(
                f"large ends at {self.large[1]}; with this margin and size a shape of more than "
                f"{most:.3f} does not fit into a third of the picture"
            )
        return problems


def _shape_problems(names: tuple[str, ...]) -> list[str]:
    problems = [
        f"shape_names has {name!r}, which is not one of {', '.join(SHAPES)}"
        f".{did_you_mean(name, SHAPES)}"
        for name in names
        if name not in SHAPES
    ]
    if not names or len(set(names)) != len(names):
        problems.append(f"shape_names must name at least one, each once, not {list(names)}")
    return problems


PICTURE_DIFFICULTIES: dict[str, PictureConfig] = {
    "default": PictureConfig(),
    "hard": PictureConfig(margin=0.02, contrast=24.0, noise=10.0),
    "harder": PictureConfig(
        width=96,
        height=96,
        two_shapes=0.8,
        small=(0.06, 0.11),
        large=(0.13, 0.19),
        margin=0.015,
        contrast=40.0,
        noise=20.0,
    ),
}
"""Named worlds of rising difficulty."""
