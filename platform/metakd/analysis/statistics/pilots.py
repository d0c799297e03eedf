"""When a study that runs until it is decided looks, where nobody says otherwise.

Apart from ``looks``, so that a command line needs no scipy.
"""

PILOTS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Compute behind each look, in that of the pilot."""
