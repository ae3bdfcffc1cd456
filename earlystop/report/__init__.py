"""Reports on replays and a sweep, as one HTML file.

`report.py` collects the sections, `tables.py` makes their tables, and `page.py` fills the template.
"""
