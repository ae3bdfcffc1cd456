"""Whether a saved optimizer or scheduler is the one at hand; PyTorch itself takes most others.

It would take the state of another optimizer, which then fails in its next step, and that of another
scheduler, which then goes on by a mixture of both.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from earlystop.errors import StateError

__all__ = ["load_optimizer", "scheduler_problem", "will_take_back"]

# What PyTorch's optimizers keep for a parameter in the parameter's own shape.
_OF_THE_SHAPE = ("momentum_buffer", "exp_avg", "square_avg", "sum")


def load_optimizer(optimizer: torch.optim.Optimizer, state: Any, undo: ExitStack) -> None:
    """Load a state. Raises StateError for that of another optimizer, or of other parameters.

    undo: is given what takes the optimizer back to where it was.
    """
    hooks = getattr(optimizer, "_optimizer_load_state_dict_pre_hooks", None)
    plain = type(optimizer).load_state_dict is torch.optim.Optimizer.load_state_dict
    problem = "" if hooks or not plain else _problem(optimizer, state)
    if problem:
        raise StateError(problem)
    groups = optimizer.param_groups
    if plain:  # replaces what there was, and leaves it as it is
        before = {"state": optimizer.state, "param_groups": groups}
        undo.callback(optimizer.__setstate__, before)
    else:
        will_take_back(optimizer, undo)
    optimizer.load_state_dict(state)
    for number, (before, group) in enumerate(zip(groups, optimizer.param_groups, strict=True)):
        lacking = sorted(set(optimizer.defaults) - set(group))
        if lacking:
            raise StateError(
                f"parameter group {number} was saved without {', '.join(lacking)}: it is of "
                "another kind of optimizer"
            )
        for name, value in before.items():  # what a new scheduler has added, such as initial_lr
            group.setdefault(name, value)


def will_take_back(part: Any, undo: ExitStack) -> None:
    """Have a part of any kind go back to the state that it has now."""
    try:
        before = copy.deepcopy(part.state_dict())
    except RuntimeError:
        # ZeroRedundancyOptimizer has no state to tell before it has gathered it from all ranks, and
        # so none to go back to.
        return
    undo.callback(part.load_state_dict, before)


def _problem(optimizer: torch.optim.Optimizer, state: Any) -> str:
    groups, saved = optimizer.param_groups, state["param_groups"]
    if len(groups) != len(saved):
        return f"it has {len(groups)} parameter groups, {len(saved)} were saved"
    for number, (group, of_saved) in enumerate(zip(groups, saved, strict=True)):
        count, of_count = len(group["params"]), len(of_saved["params"])
        if count != of_count:
            return f"parameter group {number} has {count} parameters, {of_count} were saved"
        names, of_names = (each.get("param_names") for each in (group, of_saved))
        if names and of_names and list(names) != list(of_names):
            return f"parameter group {number} has {names}, saved were {of_names}"
    return _shape_problem(optimizer, state) if _is_of_pytorch(optimizer) else ""


def _is_of_pytorch(optimizer: torch.optim.Optimizer) -> bool:
    return type(optimizer).__module__.startswith("torch.optim.")


def _shape_problem(optimizer: torch.optim.Optimizer, state: Any) -> str:
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    keys = [key for group in state["param_groups"] for key in group["params"]]
    for number, (key, parameter) in enumerate(zip(keys, parameters, strict=True)):
        for name, value in state["state"].get(key, {}).items():
            if name not in _OF_THE_SHAPE or not isinstance(value, torch.Tensor):
                continue
            if value.shape != parameter.shape:
                return (
                    f"parameter {number} has shape {tuple(parameter.shape)}, its {name} was saved "
                    f"with shape {tuple(value.shape)}"
                )
    return ""


def scheduler_problem(scheduler: Any, state: Any) -> str:
    """Why a state is not one of this scheduler; "" if it may be, and for anything else."""
    if not isinstance(scheduler, LRScheduler):
        return ""
    own = scheduler.state_dict()
    groups, saved = (len(each.get("base_lrs", ())) for each in (own, state))
    if groups != saved:
        return f"it is of {groups} parameter groups, {saved} were saved"
    lacking, other = _public(own) - _public(state), _public(state) - _public(own)
    if lacking and other:  # another version of PyTorch may have more settings, or fewer
        return (
            f"it has {', '.join(sorted(lacking))}, saved were {', '.join(sorted(other))}: it is of "
            "another kind of scheduler"
        )
    return ""


def _public(state: dict[str, Any]) -> set[str]:
    return {name for name in state if not name.startswith("_")} - {"verbose"}
