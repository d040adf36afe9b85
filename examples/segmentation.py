"""Segmentation of the photographs that scikit-image carries; runs inside the environments.

The same file runs on scikit-image 0.19 with NumPy 1 and on the current one with NumPy 2. What it
returns are plain Python values (numbers and bytes), which mean the same everywhere.
"""

from __future__ import annotations

import io
import platform
from pathlib import Path

import numpy as np
import skimage
from PIL import Image
from scipy import ndimage
from skimage import color, feature, filters, measure, segmentation

#: These lie inside the installed package: nothing is downloaded.
PHOTOGRAPHS = (
    "astronaut.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "page.png",
    "rocket.jpg",
)

SIDE = 384  # pixels of the longer side of what is segmented
SMALLEST = 64  # pixels of the smallest region that counts
STEPS = 6


def photographs():
    """Return the names of the photographs that this version of scikit-image has."""
    return [name for name in PHOTOGRAPHS if (_folder() / name).is_file()]


def versions():
    """Return what this world is made of."""
    return {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "scikit-image": skimage.__version__,
    }


def segment(name, task):
    """Find the regions of a photograph; report each step, and stop between two if asked to.

    Returns:
        A dict of the number of ``regions``, their ``area`` (a fraction of the image), their
        ``mask`` (one bit a pixel) and an ``overlay`` (the image with coloured regions, as PNG).
    """
    stages = _segment(name)
    for step, message in enumerate(stages):
        if task.cancel_requested:
            task.cancel()
            return None
        if isinstance(message, dict):
            return message
        task.update(f"{Path(name).stem}: {message}", current=step, maximum=STEPS)
    return None


def _segment(name):
    yield "reading"
    image = _read(name)
    yield "smoothing"
    gray = color.rgb2gray(image)
    smooth = filters.gaussian(gray, sigma=1.5) - filters.gaussian(gray, sigma=SIDE / 8)
    yield "separating from the background"
    mask = smooth > filters.threshold_otsu(smooth)
    if mask.mean() > 0.5:  # what there is less of is taken for the objects
        mask = ~mask
    mask = ndimage.binary_fill_holes(ndimage.binary_opening(mask, iterations=2))
    yield "finding centres"
    distance = filters.gaussian(ndimage.distance_transform_edt(mask), sigma=1.5)
    blobs, _ = ndimage.label(mask)
    peaks = feature.peak_local_max(distance, min_distance=9, labels=blobs)
    centres = np.zeros(mask.shape, dtype=int)
    centres[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    yield "growing regions"
    labels = segmentation.watershed(-distance, centres, mask=mask)
    yield "measuring"
    regions = [region for region in measure.regionprops(labels) if region.area >= SMALLEST]
    labels = np.where(np.isin(labels, [region.label for region in regions]), labels, 0)
    yield {
        "regions": len(regions),
        "area": float((labels > 0).mean()),
        "mask": np.packbits(labels > 0).tobytes(),
        "overlay": _overlay(image, labels),
    }


def _overlay(image, labels):
    painted = color.label2rgb(labels, image, alpha=0.4, bg_label=0)
    painted = segmentation.mark_boundaries(painted, labels, color=(1, 1, 1), mode="inner")
    stream = io.BytesIO()
    Image.fromarray((painted * 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _read(name):
    image = Image.open(_folder() / name).convert("RGB")
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image) / 255.0


def _folder():
    return Path(skimage.__file__).parent / "data"
