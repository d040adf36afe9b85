"""PIL images, by their pixels: no file format is read or written."""

from __future__ import annotations

from typing import Any

from PIL import Image

from worker_entry.portable.buffers import as_buffer

#: Modes, and the bits of a pixel.
_MODES = {"1": 1, "L": 8, "P": 8, "LA": 16, "PA": 16, "La": 16, "RGB": 24, "YCbCr": 24, "LAB": 24,
          "HSV": 24, "RGBA": 32, "RGBa": 32, "RGBX": 32, "CMYK": 32, "I": 32, "F": 32, "I;16": 16,
          "I;16L": 16, "I;16B": 16, "I;16N": 16}  # fmt: skip


#: Rows or columns of an image without pixels, at most.
MAX_EMPTY = 65535


def reduce_image(protocol: int, image: Any) -> Any:
    """Take an image apart; of a file that it was opened from, only the pixels and `info` stay."""
    image.load()  # a file that was opened is read now, and a palette that was set is there
    palette = None
    if image.mode in ("P", "PA") and image.palette is not None:
        palette = (image.palette.mode, bytes(image.im.getpalette(image.palette.mode)))
    pixels = image.tobytes()
    data = as_buffer(pixels, protocol) if pixels else b""
    return build_image, (image.mode, image.size, data, palette, dict(image.info))


def build_image(mode: str, size: Any, pixels: Any, palette: Any, info: Any) -> Any:
    """Make an image."""
    width, height = size
    if mode not in _MODES or width < 0 or height < 0:
        raise ValueError(f"no image: mode {mode!r}, size {size}")
    # Before any memory is reserved: the size is a mere claim.
    if len(memoryview(pixels)) != height * ((width * _MODES[mode] + 7) // 8):
        raise ValueError(f"an image of mode {mode} and size {size} has other pixels")
    if (
        not (width and height) and width + height > MAX_EMPTY
    ):  # rows cost, even if nothing is in them
        raise ValueError(f"an image of size {size}")
    image = Image.new(mode, (width, height))
    if len(memoryview(pixels)):
        image.frombytes(bytes(pixels))
    if palette is not None:
        image.putpalette(palette[1], palette[0])
    image.info = dict(info)
    return image
