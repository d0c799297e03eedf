"""The data behind the report's figures: a file each, as in ``dashboards/figures``."""
