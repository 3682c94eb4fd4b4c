"""How large a file may be before it is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Upper bounds, checked on the file's headers before any pixel is decoded.

    Args:
        bytes: Length of the file, and of what a deflated file inflates to, in bytes. The largest radiographs, 16 bit
            and uncompressed, have some 40 MB.
        pixels: Rows times columns of one frame. The largest detectors have some 4,300 x 4,300 pixels, film scanners
            up to 6,000 x 7,000.
        frames: Frames of a multi-frame file. Only the first is decoded; a dynamic chest radiograph has some 300.
    """

    bytes: int = 256 * 1024 * 1024
    pixels: int = 64_000_000
    frames: int = 1_000

    def excess_bytes(self, length: int) -> str | None:
        """Why a file of ``length`` bytes is too large, or None when it is not."""
        if length <= self.bytes:
            return None
        return f"The file is over the size limit of {self.bytes / 1024**2:.4g} MB."

    def excess_pixels(self, height: int, width: int) -> str | None:
        """Why a picture of this many rows and columns is too large, or None when it is not."""
        if height * width <= self.pixels:
            return None
        return (
            f"The picture has {width} x {height} pixels, over the limit of {self.pixels / 1e6:.4g} million: "
            "save it smaller."
        )

    def excess_frames(self, frames: int) -> str | None:
        """Why a file of this many frames is too large, or None when it is not."""
        if frames <= self.frames:
            return None
        return f"The file has {frames} frames, over the limit of {self.frames}: send a single radiograph."


DEFAULT_LIMITS = Limits()
