"""Ray Tune: from a study's specification to its trials, run on whatever cluster there is."""
