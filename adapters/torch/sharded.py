"""Models whose weights are shared out over the ranks, as DTensors; `fully_shard` (FSDP2) does so.

Their checkpoint is a folder: `training.pt`, which rank 0 writes, holds everything but the sharded
tensors, and where these belong; every rank writes its own shards beside it, as
`torch.distributed.checkpoint` does. They are read for as many ranks as there are then.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from earlystop.errors import CheckpointError, RuleError, StateError

__all__ = [
    "CONTENTS",
    "Stager",
    "check_metadata",
    "filled",
    "has_shards",
    "like_optimizer",
    "split",
    "stager",
    "write_shards",
]

CONTENTS = "training.pt"  # of the folder, what is not sharded

_KEY = "earlystop.shards_of"  # in place of a tensor: its name in the shards, its shape and type


def _is_sharded(value: Any) -> bool:
    """Whether a tensor is a DTensor, of which this rank may hold a part only."""
    return isinstance(value, torch.Tensor) and hasattr(value, "full_tensor")


def has_shards(model: torch.nn.Module) -> bool:
    """Whether the weights of a model are sharded. Raises RuleError for the flat ones of FSDP1."""
    if any(hasattr(module, "_fsdp_wrapped_module") for module in model.modules()):
        raise RuleError(
            "`Training(model)`: of a model in FullyShardedDataParallel (FSDP1), each rank has a "
            "piece of a flat list of weights; shard it by torch.distributed.fsdp.fully_shard"
        )
    return any(_is_sharded(parameter) for parameter in model.parameters())


def split(tree: Any, name: str, shards: dict[str, torch.Tensor]) -> Any:
    """A state with a note in place of each sharded tensor.

    name: the name of the state.
    shards: is given the sharded tensors, by their names.
    """
    if _is_sharded(tree):
        shards[name] = tree.detach()
        like = torch.empty(0, dtype=tree.dtype)
        return {_KEY: name, "shape": list(tree.shape), "like": like}
    if isinstance(tree, Mapping):
        return _mapped(tree, lambda key: split(tree[key], f"{name}.{key}", shards))
    if type(tree) in (list, tuple):
        items = enumerate(tree)
        return type(tree)(split(value, f"{name}.{index}", shards) for index, value in items)
    return tree


def stager() -> Stager:
    """A `Stager`. Raises RuleError for a version of PyTorch that has none."""
    try:
        from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
    except ImportError:
        raise RuleError(
            "`Training(asynchronous=True)` of a sharded model needs a newer PyTorch than "
            f"{torch.__version__}, which cannot copy shards (DefaultStager): update it, or save "
            "without asynchronous=True"
        ) from None
    return Stager(lambda: DefaultStager(StagingOptions(False, False, False, False)))


class Stager:
    """Copies shards to the CPU: into the same memory each time, where this PyTorch can do so.

    make: returns one of PyTorch's own. Those of some versions, such as 2.11, can be used only once.
    lasts: whether that of this version can be used again.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._made = make, make()
        self.lasts = _can_be_used_again(make())

    def stage(self, shards: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """A copy of shards; what the last one held may be written over."""
        if not self.lasts:
            self._made = self._make()
        copied: dict[str, torch.Tensor] = self._made.stage(shards)
        return copied


def _can_be_used_again(made: Any) -> bool:
    made.stage({"": torch.zeros(1)})
    try:
        made.stage({"": torch.zeros(1)})
    except KeyError:  # it has dropped the functions that it copies by
        return False
    return True


def write_shards(shards: dict[str, torch.Tensor], folder: Path, group: Any = None) -> None:
    """Write the shards of this rank; all ranks call it.

    group: the process group in which they agree; by default, the default one.

    Raises CheckpointError on all ranks if it fails on one.
    """
    from torch.distributed.checkpoint.filesystem import FileSystemWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    def write() -> None:
        writer = FileSystemWriter(folder, sync_files=True)
        save(shards, storage_writer=writer, process_group=group)

    _together(write, f"the shards in {str(folder)!r} cannot be written")


def filled(tree: Any, like: Any, folder: Path) -> Any:
    """The state that `split` took apart, with tensors in place of the notes; all ranks call it.

    like: a state of the same structure, whose tensors are sharded as those that are read shall be.
        Notes without a counterpart stay.

    Raises StateError for tensors of other shapes, CheckpointError if the shards cannot be read.
    """
    from torch.distributed.checkpoint.state_dict_loader import load

    from .shard_reader import ShardReader

    shards: dict[str, torch.Tensor] = {}
    result = _filled(tree, like, shards)
    if shards:

        def read() -> None:
            with warnings.catch_warnings():  # that a process alone reads them is meant
                warnings.filterwarnings("ignore", "torch.distributed is disabled")
                load(shards, storage_reader=ShardReader(folder))  # finds out whether it is alone

        _together(read, f"the shards in {str(folder)!r} cannot be read")
    return result


def check_metadata(folder: Path) -> None:
    """Raise StateError if what lists the shards is damaged or unsafe, CheckpointError if unread."""
    from .shard_reader import ShardReader

    try:
        ShardReader(folder).read_metadata()
    except OSError as error:
        raise CheckpointError(f"the shards in {str(folder)!r} cannot be read: {error}") from error


def like_optimizer(optimizer: torch.optim.Optimizer, state: Any) -> Any:
    """A state of an optimizer like a saved one: all of a parameter is sharded as it is itself."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    saved = state.get("state") if isinstance(state, Mapping) else None
    kept = saved if isinstance(saved, Mapping) else {}
    return {
        "state": {
            number: dict.fromkeys(kept.get(number, ()), parameter)
            for number, parameter in enumerate(parameters)
        }
    }


def _filled(tree: Any, like: Any, shards: dict[str, torch.Tensor]) -> Any:
    if isinstance(tree, Mapping) and _KEY in tree:
        if not isinstance(like, torch.Tensor):
            return tree
        name = tree[_KEY]
        if list(like.shape) != tree["shape"]:
            raise StateError(
                f"{name} has shape {tuple(like.shape)}, saved was {tuple(tree['shape'])}"
            )
        shards[name] = torch.empty_like(like.detach(), dtype=tree["like"].dtype)
        return shards[name]
    if isinstance(tree, Mapping):
        of = like if isinstance(like, Mapping) else {}
        return _mapped(tree, lambda key: _filled(tree[key], of.get(key), shards))
    if type(tree) in (list, tuple):
        same = type(like) is type(tree) and len(like) == len(tree)
        pairs = zip(tree, like if same else [None] * len(tree), strict=True)
        return type(tree)(_filled(value, each, shards) for value, each in pairs)
    return tree


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """A copy of a mapping with changed values, and its attributes, such as _metadata."""
    result = copy.copy(tree)
    for key in tree:
        result[key] = change(key)
    return result


def _together(action: Callable[[], None], what: str) -> None:
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        action()
    except CheckpointException as error:  # a BaseException; raised on all ranks
        failed = [raised for raised, _ in error.failures.values()]
        for raised in failed:
            if not isinstance(raised, Exception):
                raise raised from None  # an interrupt comes out as one
        problems = (f"rank {rank}: {raised}" for rank, (raised, _) in error.failures.items())
        raise CheckpointError(f"{what}: {'; '.join(problems)}") from None
    except OSError as error:
        raise CheckpointError(f"{what}: {error.strerror or error}") from error
