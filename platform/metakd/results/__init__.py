"""The Parquet store: one file per finished trial, written whole or not at all."""
