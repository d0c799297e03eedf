"""Statistics of a study: pure functions on score matrices, gathered into one Summary."""
