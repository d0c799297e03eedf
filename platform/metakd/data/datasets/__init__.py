"""Image datasets: decoded once and mapped into memory ever after, or read from their files.

A further kind is a function that returns a :class:`Source`, and a line in ``SOURCES`` of
``data/catalogue.py``.
"""

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.cache import open_cached, open_dataset
from metakd.data.datasets.folder_dataset import FolderDataset
from metakd.data.datasets.image_dataset import DecodedDataset, ImageDataset, channel_statistics
from metakd.data.datasets.source import Decoded, DecodedSource, FolderSource, Source

__all__ = [
    "DatasetError",
    "Decoded",
    "DecodedDataset",
    "DecodedSource",
    "FolderDataset",
    "FolderSource",
    "ImageDataset",
    "Source",
    "channel_statistics",
    "open_cached",
    "open_dataset",
]
