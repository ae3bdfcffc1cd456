"""Data sets: logged runs in files that are read part by part, and worked on anywhere.

- `scan.py` is the public function; it finds files and plans the parts.
- `storage.py` finds and opens files here and in stores; `tables.py` reads tables from them.
- `planning.py` cuts the runs of a table into ranges; `sorting.py` sorts one that is in no order.
- `parts.py` and `log_parts.py` are the parts; `cells.py` and `rows.py` make a history of rows.
- `dataset.py` is what results; `working.py` hands its parts to processes or an executor.
"""

from .dataset import Dataset as Dataset
from .scan import scan_history as scan_history
