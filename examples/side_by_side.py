"""One picture of what two worlds found; runs inside an environment, whose Pillow draws it."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

COLUMNS = 3
TILE = (228, 228)
GAP = 4  # between the two halves of a pair
MARGIN = 28
CAPTION = 34
HEAD = 92

PAPER = (250, 249, 246)
INK = (34, 38, 46)
FAINT = (128, 132, 140)


def draw(titles, pairs):
    """Return a PNG with one pair of pictures for each photograph.

    Args:
        titles: What to call the two worlds.
        pairs: For each photograph its caption, and two PNGs.
    """
    rows = -(-len(pairs) // COLUMNS)
    pair = (2 * TILE[0] + GAP, TILE[1] + CAPTION)
    size = (
        MARGIN + COLUMNS * (pair[0] + MARGIN),
        HEAD + rows * (pair[1] + MARGIN // 2) + MARGIN // 2,
    )
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 20), "Left: " + titles[0], INK, _font(20))
    pen.text((MARGIN, 50), "Right: " + titles[1], INK, _font(20))
    for index, (caption, left, right) in enumerate(pairs):
        x = MARGIN + (index % COLUMNS) * (pair[0] + MARGIN)
        y = HEAD + (index // COLUMNS) * (pair[1] + MARGIN // 2)
        sheet.paste(_tile(left), (x, y))
        sheet.paste(_tile(right), (x + TILE[0] + GAP, y))
        pen.text((x, y + TILE[1] + 6), caption, FAINT, _font(15))
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    return stream.getvalue()


def _tile(png):
    """Return the middle of a picture, scaled to fill a tile."""
    image = Image.open(io.BytesIO(png))
    scale = max(TILE[0] / image.width, TILE[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    left, top = (image.width - TILE[0]) // 2, (image.height - TILE[1]) // 2
    return image.crop((left, top, left + TILE[0], top + TILE[1]))


def _font(size):
    return ImageFont.load_default(size)
