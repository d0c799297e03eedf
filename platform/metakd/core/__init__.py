"""Plain PyTorch: losses, temperatures, the look-ahead hypergradient, distillers, the loop.

Nothing here knows of Ray, Parquet or Plotly; any training loop can use it.
"""
