"""The studies that metakd comes with, one a file: a spec, and the command that runs it."""
