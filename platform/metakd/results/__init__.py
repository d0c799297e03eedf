"""The Parquet store: a finished trial is written whole or not at all, many are packed together."""
