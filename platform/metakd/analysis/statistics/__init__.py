"""Pure functions on arrays: no words, no files."""
