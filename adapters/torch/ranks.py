"""The ranks of torch.distributed, for `earlystop.engine.session.Session`."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
import torch.distributed as dist

from earlystop.engine.ranks import Ranks, on_first
from earlystop.errors import CheckpointError

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["TorchRanks", "on_all", "read_on_first", "write_together"]

_Result = TypeVar("_Result")

Writes = Callable[[Path], None]

_has_group = dist.is_initialized if dist.is_available() else bool  # bool() is False


class TorchRanks:
    """All ranks of the default process group, or a single rank without a group.

    group: what they communicate in; None for the default process group.
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group

    @classmethod
    def in_own_group(cls) -> Self:
        """All ranks, in a new process group for another thread of each; all ranks call it."""
        return cls(dist.new_group(backend="gloo") if _has_group() else None)

    def release(self) -> None:
        """Give up the process group that `in_own_group` made."""
        group, self.group = self.group, None
        if group is not None and _has_group():
            dist.destroy_process_group(group)

    @property
    def size(self) -> int:
        return dist.get_world_size() if _has_group() else 1

    @property
    def rank(self) -> int:
        return dist.get_rank() if self.size > 1 else 0

    def share(self, value: Any) -> Any:
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, src=0, group=self.group)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value, group=self.group)
        return values


def write_together(
    ranks: Ranks, action: Callable[[Callable[[Path], None]], object], write: Writes, first: Writes
) -> None:
    """Run `action(writing)` on rank 0. Where it calls `writing(path)`, all ranks write there.

    first: writes on rank 0, before all do.
    write: writes on all ranks together; if it raises, it does so on all.

    Raises what rank 0 raises; on the other ranks, a CheckpointError with its message.
    """
    if ranks.rank > 0:
        failed: Exception | None = None
        while (path := ranks.share(None)) is not None:
            try:
                write(path)
            except Exception as error:
                failed = error
        try:
            on_first(ranks, lambda: None)
        except CheckpointError as error:
            raise error from failed
        return

    def writing(path: Path) -> None:
        first(path)
        ranks.share(path)
        write(path)

    def act() -> None:
        try:
            action(writing)
        finally:
            ranks.share(None)

    on_first(ranks, act)


def on_all(ranks: Ranks, action: Callable[[], _Result]) -> _Result:
    """What an action returns on each rank.

    Raises what it raises; on ranks on which it succeeds, a CheckpointError if it fails elsewhere.
    """
    result, failed = None, None
    try:
        result = action()
    except Exception as error:
        failed = error
    told = ranks.gather(None if failed is None else f"{type(failed).__name__}: {failed}")
    if failed is not None:
        raise failed
    for rank, message in enumerate(told):
        if message is not None:
            raise CheckpointError(f"rank {rank} failed: {message}")
    return cast(_Result, result)


def read_on_first(ranks: Ranks, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What rank 0 reads, including tensors, on all ranks; nothing in it is executed."""
    if ranks.size == 1:
        return read()

    def packed() -> bytes:
        buffer = io.BytesIO()
        torch.save(read(), buffer)
        return buffer.getvalue()

    shared = io.BytesIO(on_first(ranks, packed))
    result: dict[str, Any] = torch.load(shared, map_location="cpu", weights_only=True)
    return result
