"""The teacher bank: views made once, and each teacher's outputs for them, shared by all trials.

A bank is a folder named by the content hash of its views:

- ``about.json``: what the views are made of, for people;
- ``views/``: the views themselves as uint8, where there is room for them;
- ``outputs/<teacher_id>/logits-float16/``: a teacher's logits;
- ``outputs/<teacher_id>/features-float16/``: its last feature maps, where a method uses them.

Each array is kept in parts of whole views. A part is written beside its place, named by its number
and the hash of its content, and renamed: what is there is whole, a build that was stopped goes on
where it stopped, and a part whose content is not what its name says is made again.

It keeps logits, never probabilities: a softmax is taken at the temperature that a trial wants.
Probabilities kept at τ = 1 in float16 and brought to τ = 4 are off by a KL divergence of 8e-3 on a
confident teacher, a top-10 list by 8e-2, logits in float16 by 6e-8.
"""

from metakd.data.bank.build import Outputs, Teacher, build_outputs, build_views
from metakd.data.bank.parts import BankError, outputs_bytes
from metakd.data.bank.stored import Stored, open_outputs, open_views

__all__ = [
    "BankError",
    "Outputs",
    "Stored",
    "Teacher",
    "build_outputs",
    "build_views",
    "open_outputs",
    "open_views",
    "outputs_bytes",
]
