"""Builds the documentation: ``sphinx-build -W docs site``; a broken link is a warning, too."""

from metakd import __version__

project = "metakd"
author = "The metakd developers"
copyright = "2026, the metakd developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["site"]
html_theme = "furo"
html_title = f"metakd {version}"
html_show_sphinx = False

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True
# External addresses are checked by `sphinx-build -b linkcheck`, which needs a network.
linkcheck_timeout = 20
