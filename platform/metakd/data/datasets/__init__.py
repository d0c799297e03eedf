"""Image datasets, decoded once and mapped into memory ever after.

A dataset of your own: write a function that returns a :class:`Source` and add its line to
``SOURCES`` in ``registry.py``.
"""

from metakd.data.datasets.cache import open_cached
from metakd.data.datasets.image_dataset import DatasetError, ImageDataset, channel_statistics
from metakd.data.datasets.registry import SOURCES, open_dataset

__all__ = [
    "SOURCES",
    "DatasetError",
    "ImageDataset",
    "channel_statistics",
    "open_cached",
    "open_dataset",
]
