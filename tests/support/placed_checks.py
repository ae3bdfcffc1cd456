"""Checks with positions, as a run makes that validates every few steps or epochs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

import earlystop as es

__all__ = ["placed_checks", "rules_in_units", "stepped_at"]


@st.composite
def placed_checks(draw: st.DrawFn, max_size: int = 12) -> list[dict[str, Any]]:
    """The arguments of `step` for each check of a run: its loss, and where it stands."""
    tells = draw(st.sampled_from([("epoch",), ("step",), ("epoch", "step")]))
    whole = draw(st.booleans())
    checks, epoch, step = [], draw(st.integers(0, 3)) / (1 if whole else 4), 0
    for loss in draw(st.lists(st.integers(0, 6), min_size=1, max_size=max_size)):
        step += draw(st.integers(1, 500))
        place = {"epoch": epoch, "step": step}
        checks.append({"loss": float(loss), **{name: place[name] for name in tells}})
        epoch += draw(st.integers(0, 3)) / (1 if whole else 4)
    return checks


def rules_in_units() -> st.SearchStrategy[tuple[es.Rule, es.Rule]]:
    """A stop and a save rule that look at positions where there are any."""
    few = st.integers(1, 5)
    stop = st.one_of(
        st.builds(es.Patience, st.just("loss"), patience=few, start_from_epoch=st.integers(0, 3)),
        st.builds(es.MaxEpochs, few),
        st.builds(es.Warmup, st.builds(es.Patience, st.just("loss"), patience=few), epochs=few),
    )
    return st.tuples(stop, st.sampled_from([es.Best("loss"), es.Every(2), es.Always()]))


def stepped_at(stopper: es.Stopper, checks: list[dict[str, Any]]) -> list[es.Decision]:
    """The decisions of a stopper that is given the positions of its checks, up to its stop."""
    decisions = []
    for check in checks:
        places = {name: check[name] for name in ("epoch", "step") if name in check}
        decisions.append(stopper.step({"loss": check["loss"]}, **places))
        if decisions[-1].stop:
            break
    return decisions
