"""The style of pictures, and the parts that several of them share."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import textwrap
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._text import count, one_line, shortened
from ..errors import RuleError, RuleTypeError
from .kinds import PICTURE_KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FAINT",
    "LARGEST",
    "LINE_STYLES",
    "LOGGED",
    "LineStyle",
    "axes_for",
    "brief",
    "draw_metric",
    "legend_below",
    "linear_limit",
    "mark_stop",
    "picture",
    "plain",
    "scale_values",
    "star",
    "styled",
    "title",
]


class LineStyle(NamedTuple):
    """How one rule is distinguished from the others."""

    color: str
    dashes: Any
    marker: str


LINE_STYLES = (
    LineStyle("#0072B2", "--", "o"),
    LineStyle("#D55E00", "-.", "s"),
    LineStyle("#009E73", ":", "^"),
    LineStyle("#CC79A7", (0, (6, 1, 1, 1, 1, 1)), "D"),
    LineStyle("#E69F00", (0, (1, 1)), "v"),
    LineStyle("#56B4E9", (0, (8, 3)), "P"),
    LineStyle("#000000", (0, (3, 3, 1, 3)), "X"),
)
LOGGED, FAINT = "#404040", "#9a9a9a"
_TEXT, _SOFT, _GRID = "#1b1f24", "#525a64", "#d4d9df"  # as in reports

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # bundled with matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlecolor": _TEXT,
    "axes.labelcolor": _SOFT,
    "axes.edgecolor": _SOFT,
    "axes.grid": True,
    "text.color": _TEXT,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "grid.color": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.usetex": False,
    "svg.hashsalt": "earlystop",  # the same picture is the same file
}
LARGEST = 1e150  # the most that axes can hold, with margins and logarithms
_MOST_NAME = 60  # characters of a name
_IN_AN_INCH = 9.5  # characters of a title, about

# Names of runs may be in any script: those of these fonts that are installed are fallbacks.
_OTHER_SCRIPTS = (
    *("Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans CJK SC", "NanumGothic"),
    *("Malgun Gothic", "Apple SD Gothic Neo", "Hiragino Sans", "Microsoft YaHei"),
    *("WenQuanYi Zen Hei", "Noto Sans Devanagari", "Noto Sans Arabic", "Arial Unicode MS"),
)


@functools.cache
def _style() -> dict[Any, Any]:
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    others = [name for name in _OTHER_SCRIPTS if name in installed]
    return {**_STYLE, "font.family": [*_STYLE["font.family"], *others]}


@contextlib.contextmanager
def styled() -> Iterator[Any]:
    """A context in which figures have the project's style; yields the module matplotlib.

    Raises ImportError, naming what to install, without matplotlib.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install matplotlib") from error
    with mpl.rc_context(_style()):
        yield mpl


def picture(figure: Figure, form: str = "png") -> bytes:
    """The figure as a file of one of `PICTURE_KINDS`: "png" (150 dots per inch), "svg", "pdf", ...

    Raises RuleError for any other kind.

    >>> from earlystop import EarlyStopping, History, replay
    >>> result = replay(EarlyStopping("loss", patience=1), History({"loss": [3.0, 1.0, 2.0]}))
    >>> picture(result.plot())[1:4]
    b'PNG'
    """
    if form not in PICTURE_KINDS:
        raise RuleError(f"a picture is one of {', '.join(PICTURE_KINDS)}, got {form!r}")
    buffer = io.BytesIO()
    dated = {"svg": "Date", "pdf": "CreationDate"}.get(form)
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # in names of runs
        figure.savefig(buffer, format=form, dpi=150, metadata={dated: None} if dated else None)
    return buffer.getvalue()


def plain(text: str, most: int = _MOST_NAME) -> str:
    """A text for a label: short, on one line, and without mathematics."""
    return shortened(one_line(text), most).replace("$", r"\$")


def title(ax: Axes, finding: str, about: str = "", pad: float = 8) -> None:
    """Put what the picture shows above it, in a sentence, and what it is about into its corner."""
    figure: Any = ax.get_figure()
    inches = figure.bbox.width / figure.dpi * ax.get_position().width
    lines = textwrap.wrap(plain(finding, 240), max(30, int(_IN_AN_INCH * inches)))
    ax.set_title("\n".join(lines), loc="left", pad=pad)
    if about:
        ax.annotate(
            plain(about, 80),
            xy=(1, 1),
            xytext=(-4, -4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="top",
            color=_SOFT,
            fontsize=9,
        )


def legend_below(ax: Axes) -> None:
    """Put the legend below the axes, or the whole figure if it is ours, where it covers nothing."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure()
    handles, labels = ax.get_legend_handles_labels()
    if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
        figure.legend(handles, labels, loc="outside lower left", handlelength=3.2)
        return
    under = ScaledTranslation(0, -42 / 72, figure.dpi_scale_trans)
    ax.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + under,
        borderaxespad=0,
        handlelength=3.2,
    )


def star(ax: Axes, x: float, y: float, label: str, size: float, **more: Any) -> None:
    """Mark the best point."""
    star_style = {"color": "#F0E442", "mec": "black", "mew": 0.8, "ms": size, "zorder": 5}
    ax.plot([x], [y], "*", label=label, **{**star_style, **more})


def mark_stop(
    ax: Axes, at: float, style: LineStyle, level: int = 0, label: str | None = None
) -> None:
    """Mark where a rule stops a run: a line, and a marker above the axes, level by level."""
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.get_figure()
    lifted = ScaledTranslation(0, (6 + 9 * level) / 72, figure.dpi_scale_trans)
    ax.axvline(at, color=style.color, ls=style.dashes, lw=1.3, marker=None, label=label)
    ax.plot(
        [at],
        [1],
        marker=style.marker,
        color=style.color,
        ms=6,
        ls="none",
        transform=ax.get_xaxis_transform() + lifted,
        clip_on=False,
        label="_stop",
    )


def draw_metric(
    ax: Axes,
    values: Any,
    reported: Any = None,
    *,
    label: str,
    at: Any = None,
    color: str = LOGGED,
    **line: Any,
) -> None:
    """Draw the logged values of a metric, row by row.

    reported: a boolean mask of the rows that reported it. A line crosses gaps, and is broken by a
    logged NaN. NaN and the infinities are marked at the edges.
    at: where the rows stand; by default, their numbers.
    """
    # Legends leave out labels that begin with "_".
    label = plain(f" {label}" if label.startswith("_") else label)
    values = np.asarray(values, dtype=np.float64)
    reported = np.ones(len(values), dtype=bool) if reported is None else reported
    rows = np.flatnonzero(reported)
    values, places = values[rows], rows if at is None else np.asarray(at)[rows]
    finite = np.isfinite(values)
    clipped = np.where(finite, np.clip(values, -LARGEST, LARGEST), np.nan)
    alone = finite & ~(np.r_[False, finite[:-1]] | np.r_[finite[1:], False])
    few = len(rows) <= 40
    line = {"lw": 1.3, **line}
    ax.plot(places, clipped, color=color, label=label, marker="." if few else None, ms=4, **line)
    if alone.any() and not few:  # a single point has no line
        ax.plot(places[alone], clipped[alone], ".", color=color, ms=4, label="_alone")
    edges = ax.get_xaxis_transform()
    for what, which, marker, height in (
        ("NaN", np.isnan(values), "x", 0.02),
        ("infinite", values == np.inf, "^", 0.98),
        ("-infinite", values == -np.inf, "v", 0.02),
    ):
        if which.any():
            ax.plot(
                places[which],
                np.full(int(which.sum()), height),
                marker,
                color=color,
                ms=5,
                transform=edges,
                label=f"{label}: {what} ({count(int(which.sum()), 'value')})",
            )


def axes_for(
    ax: Any, wanted: int | tuple[int, int], size: tuple[float, float], **options: Any
) -> tuple[Figure, list[Axes]]:
    """The axes to draw on: the given ones, or those of a new figure.

    wanted: how many axes, or the fewest and the most.
    """
    from matplotlib.axes import Axes

    from .shown import ShownFigure

    fewest, most = (wanted, wanted) if isinstance(wanted, int) else wanted
    if ax is None:
        figure = ShownFigure(figsize=size, layout="constrained")
        made = figure.subplots(1, most, squeeze=False, **options)
        return figure, list(made[0])
    axes = [ax] if isinstance(ax, Axes) else list(np.ravel(ax))
    if not fewest <= len(axes) <= most or not all(isinstance(each, Axes) for each in axes):
        raise RuleTypeError(f"`plot(ax=...)` must be {most} matplotlib Axes here, got {ax!r:.80}")
    given: Any = axes[0].get_figure()
    return given, axes


def brief(rule: str) -> str:
    """The text of a rule, without the direction that its metric's name implies."""
    return rule.replace(", mode='min'", "").replace(", mode='max'", "")


def scale_values(ax: Axes, values: Any, *, falls: bool) -> None:
    """Make the axis logarithmic if values differ by orders of magnitude.

    falls: lower is better. Only then does a logarithm spread out the values near the best.
    """
    finite = np.clip(values[np.isfinite(values)], -LARGEST, LARGEST)
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    if falls and low > 1 / LARGEST and high / 100 > low:
        ax.set_yscale("log")
        return
    near = float(np.quantile(np.abs(finite), 0.5))
    if near > 0 and max(-low, high) / 1000 > near:
        ax.set_yscale("symlog", linthresh=linear_limit(near))


def linear_limit(near: float) -> float:
    """Where a symmetric logarithmic axis stops being linear: the power of ten below `near`."""
    return max(10.0 ** math.floor(math.log10(near)), 1 / LARGEST)
