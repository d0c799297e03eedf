"""Reports: a study's summary in, one self-contained HTML file out."""
