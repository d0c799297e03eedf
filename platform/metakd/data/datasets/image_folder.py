"""Folders of image files with one folder for each class, as torchvision and ImageNet have them."""

import os

import numpy as np

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.files_below import files_below
from metakd.data.datasets.folder_layout import SUFFIXES, read_layout
from metakd.data.datasets.named_options import absolute_path, read_side, split_options
from metakd.data.datasets.source import FolderSource
from metakd.data.datasets.split_names import left_out_in_words

DEFAULT_SIZE = 224


def imagefolder_source(argument: str, options: DatasetOptions) -> FolderSource:
    """Returns the images of PATH/<split>/<class>/, or of PATH/<class>/ without an official test.

    ``folder_layout`` says which folders are splits. Folders below a class folder belong to the
    class.

    Args:
        argument: "PATH" or "PATH,size=S" with the side of the images in pixels.
        options: Say what to do about corrupt images.

    Raises:
        DatasetError: If there is no such folder, or it is not laid out like this.
    """
    path, numbers = split_options(argument)
    if not path:
        raise DatasetError(
            "imagefolder needs a path: imagefolder:PATH or imagefolder:PATH,size=224"
        )
    size = read_side("imagefolder", numbers)
    root = absolute_path(path).resolve()
    if not root.is_dir():
        raise DatasetError(f"there is no folder {path}")
    below = files_below(root, lambda name: name.lower().endswith(SUFFIXES))
    layout = read_layout(root, below.files, below.folders)
    both = layout.training + layout.test
    numbered = {name: number for number, name in enumerate(layout.class_names)}
    return FolderSource(
        name=f"imagefolder:{root.name}",
        root=root,
        image_size=size or DEFAULT_SIZE,
        files=np.array([os.fsencode(placed.name) for placed in both]),
        file_sizes=np.array([below.files[placed.name] for placed in both], dtype=np.int64),
        labels=np.array([numbered[placed.class_name] for placed in both], dtype=np.int64),
        class_names=layout.class_names,
        test_ids=np.arange(len(layout.training), len(both)) if layout.test else None,
        corrupt_images=options.corrupt_images,
        has_default_size=size is None,
        notes=(*left_out_in_words(below.left_out), *layout.notes),
    )
