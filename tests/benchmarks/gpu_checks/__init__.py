"""What is checked on a GPU, in the order of its worth: one check a file, its cases in ``CASES``."""

SHARES = {
    "scaler": 0.06,
    "trials": 0.17,
    "hypergradient": 0.05,
    "precision": 0.14,
    "speed": 0.16,
    "packing": 0.16,
    "ranks": 0.10,
    "study": 1.0,
    "planner": 0.06,
}
"""The checks in their order, and what each may take of the whole time; the study takes what those
before it left, and leaves what the last one needs."""
