"""Pictures of replays, sweeps and advice, reached through `.plot()` of a result.

Logged values are drawn in grey and black. Each rule has a colour from a palette for the
colour-blind (Okabe and Ito's), with its own dashes and marker, so that pictures also work in print.
Figures are made without pyplot: nothing is displayed, kept or changed globally.

`replays.py` (with `curve.py`, `rows.py` and `distribution.py`), `sweeps.py` and `advice.py` draw
one kind of result each. `axis.py` has axes in the units of logs, `style.py` what all pictures
share, `shared.py` what those of replays share, and `kinds.py` the kinds of files.
"""

from .advice import plot_advice as plot_advice
from .kinds import PAGE_KINDS as PAGE_KINDS
from .kinds import PICTURE_KINDS as PICTURE_KINDS
from .kinds import REPORT_KINDS as REPORT_KINDS
from .kinds import kind_of as kind_of
from .replays import plot_replays as plot_replays
from .style import LINE_STYLES as LINE_STYLES
from .style import LineStyle as LineStyle
from .style import axes_for as axes_for
from .style import draw_metric as draw_metric
from .style import legend_below as legend_below
from .style import mark_stop as mark_stop
from .style import picture as picture
from .style import plain as plain
from .style import styled as styled
from .sweeps import plot_sweep as plot_sweep
