"""Reports on replays, sweeps and advice, as one HTML file.

`report.py` collects the parts: `headline.py` the answer, `advice.py` the advice, `tables.py` the
tables, and `data.py` (with `scenarios.py`, `curves.py` and `packing.py`) what the script of the
page looks up. `page.py` fills the template, `report.html.jinja`, and puts style and script into it.
"""

from .report import write_report as write_report
