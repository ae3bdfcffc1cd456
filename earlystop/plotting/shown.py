"""Figures that a notebook shows by themselves, without pyplot. Imports matplotlib."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]

_DOTS = 100  # an inch


class ShownFigure(Figure):
    """A figure that is a picture where it is the value of a cell."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=_DOTS)
        return file.getvalue()
