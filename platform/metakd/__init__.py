"""metakd: search for the distillation temperature, or learn it? Evidence from paired studies."""

__version__ = "0.1.0"
