"""Ray Train, and the one place where a trial becomes a trained student and a row of the store."""

from metakd.train.ray_environment import prepare_ray_environment

# Ray reads these when it is imported: this has to come before any module that imports it.
prepare_ray_environment()
