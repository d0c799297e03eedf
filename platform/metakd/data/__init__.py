"""Datasets, splits and nested scales, augmentations, the teacher bank."""
