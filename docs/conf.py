"""How the documentation is built: `python -m sphinx -W --keep-going docs docs/_build`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import earlystop

sys.path.insert(0, str(Path(__file__).parent))  # for the extensions that stand in this folder

project = "earlystop"
author = "the earlystop contributors"
copyright = f"2026, {author}"  # Sphinx's name for it
version = release = earlystop.__version__

extensions = ["sphinx.ext.autodoc", "myst_parser", "docstrings", "pictures"]
extensions += ["repository", "screens"]
exclude_patterns = ["_build", "_pictures"]
nitpicky = False  # names in docstrings that have no page of their own are code, not links

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
add_module_names = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"earlystop {version}"
html_static_path = ["_static"]
html_css_files = ["earlystop.css"]
html_copy_source = False
html_show_sourcelink = False
