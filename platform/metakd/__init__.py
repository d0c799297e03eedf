"""metakd: search for the distillation temperature, or learn it? Evidence from paired studies."""
