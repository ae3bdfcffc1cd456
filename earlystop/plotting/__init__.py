"""Pictures of replays and sweeps: `Replay.plot` and `Sweep.plot` lead here.

What runs logged is draw_metric in grey and black, what rules did in colours that the colour-blind tell
apart (Okabe and Ito's), each with dashes and a marker of its own, so that it reads in print, too.
Figures are made without pyplot: nothing is shown, kept or changed globally.
"""

from .advice import plot_advice as plot_advice
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
