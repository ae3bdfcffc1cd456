"""For PyTorch loops written by hand: steps a stopper, keeps and restores the model, goes on again.

training = Training(es.EarlyStopping("val_loss", patience=20), model, optimizer=optimizer,
                    folder="runs/1", resume=True)
for epoch in training.epochs(3000):
    ...
    training.step(val_loss=...)
training.restore_best()
"""

from __future__ import annotations

import copy
import io
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

import torch
import torch.distributed as dist

from earlystop.checkpoints import Checkpoint, Checkpoints, write_atomically
from earlystop.engine.stopper import Decision, Stopper, as_floats
from earlystop.errors import CheckpointError, MetricError, RuleError, RuleTypeError, StateError
from earlystop.language.settings import Positive, validated
from earlystop.language.state import number_from_json
from earlystop.rules import ELAPSED, Best

from .loop import LoopError

if TYPE_CHECKING:
    from typing_extensions import Self
else:
    Self = Any

__all__ = ["Training", "numbers", "unwrapped"]

_FORMAT, _VERSION = "earlystop.Training", 1
_COMPILED = "_orig_mod."  # what torch.compile puts before the names of what it compiles
_Result = TypeVar("_Result")


class Training:
    """A stopper, a model and what trains it: one call an epoch decides, saves, and can be resumed.

    stopper: decides.
    model: what is saved and restored; of one wrapped for DistributedDataParallel or by
        torch.compile, the model inside, so that the names of its weights are its own.
    folder: where checkpoints are written, each with all that is needed to go on from it. Without
        one, the best weights are kept in memory.
    resume: go on with the run in the folder, if there is one; else a folder that holds one is
        refused.
    rng: save the state of the random generators (Python's, NumPy's if it is loaded, PyTorch's, on
        all devices), and set it on resuming.
    keep_best, keep_last, keep_every: which checkpoints stay in the folder, as in `Checkpoints`.
        With keep_last=0 an epoch that is not among the best is not written at all; a run that is
        resumed then goes on from the newest that was.
    name: the names of the files, as in `Checkpoints`.
    best_on: where the best is kept if there is no folder: "cpu", or "device", where the model is.
    ranks: whose metrics count where torch.distributed is initialized: "first" (those of rank 0),
        or "mean" (the mean over all ranks, which report the same names). All ranks make a
        Training and call the same methods; all get the same decisions; rank 0 alone writes.
    clock: gives seconds; the time since the run began is added as "elapsed_seconds".
    parts: whatever else is to be saved, by name: optimizer=..., scheduler=..., anything with
        `state_dict` and `load_state_dict`, or a torch.Generator.

    Files are read with weights_only=True: nothing in them is executed. Outside this library,
    `torch.load(path, weights_only=True)["model"]` gives the weights.

    Raises RuleTypeError and RuleError for arguments that do not fit, CheckpointError for a folder
    that cannot be used, StateError for a run of other rules or parts.

    >>> import earlystop as es, torch
    >>> model = torch.nn.Linear(1, 1)
    >>> training = Training(es.EarlyStopping("val_loss", patience=2), model)
    >>> losses = [0.9, 0.5, 0.7, 0.6, 0.1]
    >>> for epoch in training.epochs(5):
    ...     _ = torch.nn.init.constant_(model.weight, epoch)
    ...     decision = training.step(val_loss=torch.tensor(losses[epoch]))
    >>> print(decision)
    epoch 3: stop: val_loss has not improved on 0.5 (epoch 1) by more than 0 for 2 epochs
    >>> training.restore_best(), model.weight.item()
    (1, 1.0)
    """

    def __init__(
        self,
        stopper: Stopper,
        model: torch.nn.Module,
        *,
        folder: str | Path | None = None,
        resume: bool = False,
        rng: bool = False,
        keep_best: int = 1,
        keep_last: int = 1,
        keep_every: int | None = None,
        name: str = "{epoch:04d}.pt",
        best_on: Literal["cpu", "device"] = "cpu",
        ranks: Literal["first", "mean"] = "first",
        clock: Callable[[], float] = time.monotonic,
        **parts: Any,
    ) -> None:
        if not isinstance(stopper, Stopper):
            raise RuleTypeError(
                "`Training(stopper)` must be a Stopper, such as EarlyStopping('val_loss'), "
                f"got {stopper!r}"
            )
        if not isinstance(model, torch.nn.Module):
            raise RuleTypeError(f"`Training(model)` must be a torch.nn.Module, got {model!r:.80}")
        for argument, value, choices in (
            ("best_on", best_on, ("cpu", "device")),
            ("ranks", ranks, ("first", "mean")),
        ):
            if value not in choices:
                raise RuleError(
                    f"`Training({argument}=...)` must be one of {choices}, got {value!r}"
                )
        if folder is None and resume:
            raise RuleError("`Training(resume=...)` needs a folder that the run is kept in")
        self.stopper = stopper
        self.model = unwrapped(model)
        _check_whole(self.model)
        self._parts = {part: _stateful(part, thing) for part, thing in parts.items()}
        self._rng, self._reduce = rng, ranks == "mean"
        self._in_memory = _Copies(to_cpu=best_on == "cpu")
        self._clock, self._elapsed_before = clock, 0.0
        self._checkpoints: Checkpoints | None = None
        self._has_folder = folder is not None
        self._verified = False
        if folder is not None:
            monitor = stopper.save if isinstance(stopper.save, Best) else None
            self._checkpoints = self._on_first(
                lambda: Checkpoints(
                    folder,
                    name,
                    monitor=None if monitor is None else monitor.monitor,
                    mode="auto" if monitor is None else monitor.mode,
                    keep_best=keep_best,
                    keep_last=keep_last,
                    keep_every=keep_every,
                    resume=resume,
                )
            )
            try:
                self._resume()
            except BaseException:
                self.close()
                raise
        self._began = clock()

    # The epochs ------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The epoch to train next, counted from 0."""
        return self.stopper.epoch

    @property
    def checkpoints(self) -> Checkpoints | None:
        """The checkpoints in the folder; None without one, and on all ranks but the first."""
        return self._checkpoints

    @property
    def elapsed_seconds(self) -> float:
        """The time since the run began, in seconds, the parts before a resumption included."""
        return self._elapsed_before + self._clock() - self._began

    def epochs(self, max_epochs: int) -> Iterator[int]:
        """The epochs that are left to train, until the stopper stops or there are `max_epochs`.

        Each needs one `step`; what to do otherwise is an error that says so.
        """
        max_epochs = validated(Positive, max_epochs, "Training.epochs(max_epochs)")
        while not self.stopper.stopped and self.epoch < max_epochs:
            epoch = self.epoch
            yield epoch
            if self.epoch != epoch + 1:
                raise LoopError(
                    f"epoch {epoch} was stepped {self.epoch - epoch} times: call "
                    "`training.step(val_loss=...)` once in every epoch"
                )

    def step(self, metrics: Mapping[str, Any] | None = None, /, **more: Any) -> Decision:
        """Take the metrics of an epoch, decide, and save what there is to save.

        Metrics come as a mapping, as keywords, or both: numbers or 0-d tensors, which are brought
        from their device all at once.

        Raises what `Stopper.step` and `Checkpoints.save` raise, on all ranks alike; unless the
        epoch is saved all the same, the step can then be made again.
        """
        values = self._own(metrics, more) if _world() == 1 else self._agreed(metrics, more)
        before = self.stopper.snapshot()
        decision = self.stopper.step(values)
        if not self._has_folder and not decision.save:
            return decision
        try:
            self._save(decision, values)
        except BaseException as error:
            # Of other errors than these the other ranks know nothing: nothing is done together.
            together = isinstance(error, Exception) or _world() == 1
            if together and not self._on_first(lambda: self._is_saved(decision.epoch)):
                self.stopper.restore(before)
            raise
        return decision

    def _is_saved(self, epoch: int) -> bool:
        last = self._checkpoints.last if self._checkpoints is not None else None
        return last is not None and last.epoch == epoch

    def restore_best(self) -> int | None:
        """Give the model the weights of the best epoch, and say which that is; None if none was.

        The optimizer and the other parts stay as they are.
        """
        if not self._has_folder:
            if self._in_memory.kept is not None:
                _give_weights(self.model, self._in_memory.kept)
            return None if self._in_memory.kept is None else self.stopper.best_epoch
        best = self._on_first(lambda: self._of_checkpoints().best)
        if self.stopper.best_epoch != (None if best is None else best.epoch):
            raise CheckpointError(
                f"the best, epoch {self.stopper.best_epoch}, is not in the folder any more"
            )
        saved = self._read(best, ("model",))
        if saved is not None:
            _give_weights(self.model, saved["model"])
        return self.stopper.best_epoch

    def close(self) -> None:
        """Let others have the folder. It needs no call where the process ends."""
        if self._checkpoints is not None:
            self._checkpoints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After an error the other ranks may be anywhere, so nothing is done together any more.
        if error is None or _world() == 1:
            self.restore_best()
        self.close()

    # Saving and loading ----------------------------------------------------------------------

    def _save(self, decision: Decision, values: dict[str, float]) -> None:
        if not self._has_folder:
            self._in_memory.take(_weights(self.model))
            return
        state = self._state(values[ELAPSED])
        write = self._writer()

        def save() -> None:
            self._of_checkpoints().save(
                write, epoch=decision.epoch, metrics=values, best=decision.save, state=state
            )

        self._on_first(save)

    def save(self, path: str | Path) -> None:
        """Write all that is needed to go on from here to a file, whole or not at all.

        The best weights so far are in the file, too. With a folder this is not needed: every
        `step` saves, and the best is there. All ranks call it; rank 0 writes.

        Raises CheckpointError where the disk refuses.
        """
        write = self._writer(self._state(self.elapsed_seconds), with_best=True)
        self._on_first(lambda: write_atomically(Path(path), write))

    def load(self, path: str | Path) -> None:
        """Go on from what `save` wrote: the decisions are those of a run never interrupted.

        It is for a Training without a folder; one with a folder goes on from that (`resume=True`).

        Raises LoopError where there is a folder, CheckpointError for a file that cannot be read,
        StateError for one that is damaged, or of another model, other rules or other parts; then
        the stopper is as it was.
        """
        if self._has_folder:
            raise LoopError(
                "`Training.load` would leave the folder with checkpoints of another run: make a "
                "Training without a folder, or go on with what is in one by resume=True"
            )
        saved = self._shared(lambda: _read(Path(path)))
        if saved.get("state") is None:
            raise StateError(f"{str(path)!r} was not written by `Training.save`")
        self._take_up(saved, saved["state"], f"in {str(path)!r}")
        self._in_memory.kept = saved["best"]
        self._began = self._clock()

    def _state(self, elapsed_seconds: float) -> dict[str, Any]:
        return {"stopper": self.stopper.state_dict(), "elapsed_seconds": elapsed_seconds}

    def _writer(
        self, state: dict[str, Any] | None = None, with_best: bool = False
    ) -> Callable[[Path], None]:
        """What writes a file; state: of the stopper, where there is no ledger to hold it."""
        rng = _gathered(_random_state()) if self._rng else None

        def write(path: Path) -> None:
            saved = {
                "format": _FORMAT,
                "version": _VERSION,
                "epoch": self.stopper.epoch - 1,
                "model": _weights(self.model),
                "parts": {name: _state_of(part) for name, part in self._parts.items()},
                "rng": rng,
                "state": state,
                "best": self._best_weights() if with_best else None,
            }
            _written(path, saved)
            if not self._verified:
                _verified(path)
                self._verified = True

        return write

    def _best_weights(self) -> dict[str, Any] | None:
        """Those of the best epoch, wherever they are; asked for on rank 0."""
        if self._checkpoints is None:
            return self._in_memory.kept
        path = self._checkpoints.best_path
        weights: dict[str, Any] | None = None if path is None else _read(path)["model"]
        return weights

    def _resume(self) -> None:
        """Go on from the newest checkpoint there is, if any."""
        last: Checkpoint | None = self._on_first(lambda: self._of_checkpoints().last)
        saved = self._read(last, ("model", "parts", "rng"))
        if last is not None and saved is not None:
            self._take_up(saved, last.state, "in the folder")

    def _take_up(self, saved: Mapping[str, Any], state: Any, where: str) -> None:
        """Go on from what was saved, and the state that was saved with it."""
        if not isinstance(state, dict) or not {"stopper", "elapsed_seconds"} <= set(state):
            raise StateError(f"the run {where} was saved by something else than a Training")
        if set(saved["parts"]) != set(self._parts):
            raise StateError(
                f"the run {where} saved {_listed(saved['parts'])} next to the model, this "
                f"Training has {_listed(self._parts)}: pass the same to go on"
            )
        if self._rng and (saved["rng"] is None or len(saved["rng"]) != _world()):
            ranks = "no" if saved["rng"] is None else f"{len(saved['rng'])} ranks'"
            raise StateError(
                f"`Training(rng=True)`: the run {where} saved {ranks} random state, and this "
                f"is one of {_world()}; pass rng=False to go on without"
            )
        before = self.stopper.snapshot()
        self.stopper.load_state_dict(state["stopper"])
        try:
            elapsed = number_from_json(state["elapsed_seconds"], "elapsed_seconds")
            _give_weights(self.model, saved["model"])
        except StateError as error:
            self.stopper.restore(before)
            raise StateError(f"the run {where}: {error}") from None
        self._elapsed_before = elapsed
        for name, part in self._parts.items():
            _set_state(part, saved["parts"][name])
        if self._rng:
            _set_random_state(saved["rng"][_rank()])

    def _read(self, entry: Checkpoint | None, keys: tuple[str, ...]) -> dict[str, Any] | None:
        """What is saved under these keys in the file of an entry; rank 0 reads it for all."""
        if entry is None:
            return None

        def read() -> dict[str, Any]:
            path = self._of_checkpoints().path(entry)
            if path is None:
                raise CheckpointError(f"there is no file of epoch {entry.epoch}")
            saved = _read(path)
            return {key: saved[key] for key in keys}

        return self._shared(read)

    def _shared(self, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What rank 0 reads, on all ranks."""
        if _world() == 1:
            return read()

        def packed() -> bytes:
            buffer = io.BytesIO()
            torch.save(read(), buffer)
            return buffer.getvalue()

        shared = io.BytesIO(self._on_first(packed))
        result: dict[str, Any] = torch.load(shared, map_location="cpu", weights_only=True)
        return result

    def _of_checkpoints(self) -> Checkpoints:
        if self._checkpoints is None:
            raise LoopError("this Training has no folder")
        return self._checkpoints

    # Ranks -----------------------------------------------------------------------------------

    def _on_first(self, action: Callable[[], _Result]) -> _Result:
        """Do it on rank 0 and give all its result, or all its error: none is left waiting."""
        if _world() == 1:
            return action()
        outcome: list[Any] = [None, None]
        error: Exception | None = None
        if _rank() == 0:
            try:
                result = action()
            except Exception as raised:
                error, outcome[1] = raised, f"{type(raised).__name__}: {raised}"
            else:
                outcome[0] = None if isinstance(result, Checkpoints) else result
        dist.broadcast_object_list(outcome, src=0)
        if error is not None:
            raise error
        if outcome[1] is not None:
            raise CheckpointError(f"rank 0 failed: {outcome[1]}")
        return result if _rank() == 0 else outcome[0]

    def _agreed(self, metrics: Any, more: dict[str, Any]) -> dict[str, float]:
        """The metrics that all ranks decide on, where there are several."""
        own: Any = None
        if self._reduce or _rank() == 0:
            try:
                own = self._own(metrics, more)
            except MetricError as error:  # told to all, so that none is left waiting
                own = str(error)
        told = _gathered(own) if self._reduce else [_from_first(own)]
        for rank, values in enumerate(told):
            if isinstance(values, str):
                raise MetricError(f"rank {rank}: {values}")
        names = told[0].keys()
        for rank, values in enumerate(told):
            if values.keys() != names:
                raise MetricError(
                    f"rank {rank} reports {_listed(values)}, rank 0 {_listed(names)}: with "
                    'ranks="mean" all report the same'
                )
        if not self._reduce:
            return dict(told[0])
        means = {name: sum(values[name] for values in told) / len(told) for name in names}
        return {**means, ELAPSED: told[0][ELAPSED]}

    def _own(self, metrics: Any, more: dict[str, Any]) -> dict[str, float]:
        if metrics is not None:
            if not isinstance(metrics, Mapping):
                as_floats(metrics)  # says what is wrong
            twice = sorted(set(metrics) & set(more))
            if twice:
                raise MetricError(f"reported twice in one call: {', '.join(twice)}")
            more = {**metrics, **more}
        values = numbers(more)
        if ELAPSED not in values:
            values[ELAPSED] = self.elapsed_seconds
        return values

    def __repr__(self) -> str:
        return f"Training({self.stopper!r}, {type(self.model).__name__})"


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as floats; those that are 0-d tensors come from their device all at once.

    Raises MetricError for what is not one real number.

    >>> numbers({"loss": torch.tensor(0.5), "accuracy": 1, "lr": torch.tensor(0.25)})
    {'loss': 0.5, 'accuracy': 1.0, 'lr': 0.25}
    """
    values: dict[str, Any] = dict(metrics)
    elsewhere: dict[torch.device, list[str]] = {}
    is_plain = True
    for name, value in values.items():
        number = value
        if isinstance(value, torch.Tensor) and not value.dim():
            if value.is_cpu:  # here already
                number = values[name] = value.item()
            elif not value.is_complex():
                elsewhere.setdefault(value.device, []).append(name)
        if type(number) is not float or type(name) is not str:
            is_plain = False
    for device, names in elsewhere.items():
        wide = torch.float32 if device.type == "mps" else torch.float64  # which has no float64
        together = torch.stack([values[name].detach().to(wide) for name in names])
        values.update(zip(names, together.tolist(), strict=True))
    return values if is_plain else as_floats(values)


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The model itself, whatever torch.compile and data parallelism have put around it.

    >>> model = torch.nn.Linear(1, 1)
    >>> unwrapped(torch.compile(model)) is model
    True
    """
    while True:
        inner = getattr(model, "_orig_mod", None)  # torch.compile's
        if isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = model.module
        if not isinstance(inner, torch.nn.Module):
            return model
        model = inner


def _weights(model: torch.nn.Module) -> dict[str, Any]:
    """The state of a model, under names without those that torch.compile puts around its parts."""
    weights: dict[str, Any] = model.state_dict()
    if any(_COMPILED in name for name in weights):
        for name in list(weights):  # all, for their order
            weights[name.replace(_COMPILED, "")] = weights.pop(name)
    return weights


def _give_weights(model: torch.nn.Module, weights: dict[str, Any]) -> None:
    """The other way round; raises StateError for weights that are of another model."""
    own = {name.replace(_COMPILED, ""): name for name in model.state_dict() if _COMPILED in name}
    if own:
        weights = {own.get(name, name): value for name, value in weights.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StateError(f"its weights are not of this model: {error}") from None


class _Copies:
    """The best weights in memory, and the room that the ones before had.

    A copy is written where nobody needs anything any more, and takes the place of the best once it
    is whole. To ask for new room each time would take longer than to copy.
    """

    def __init__(self, to_cpu: bool) -> None:
        self.kept: dict[str, Any] | None = None
        self._room: dict[str, Any] | None = None
        self._to_cpu = to_cpu

    def take(self, weights: dict[str, Any]) -> None:
        room, self._room = self._room, None
        if room is None or type(room) is not type(weights) or list(room) != list(weights):
            room = copy.copy(weights)  # with what a state_dict tells of itself beside the tensors
            for name, value in weights.items():
                room[name] = self._copied(value)
        else:
            if hasattr(weights, "__dict__"):  # what it tells of itself
                room.__dict__.clear()
                room.__dict__.update(weights.__dict__)
            for name, value in weights.items():
                if _fits(room[name], value):
                    room[name].copy_(value.detach() if value.requires_grad else value)
                else:
                    room[name] = self._copied(value)
        if self._to_cpu:  # of a device the room is left to others
            self._room = self.kept
        self.kept = room

    def _copied(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return copy.deepcopy(value)
        return value.detach().to("cpu" if self._to_cpu else None, copy=True)


def _fits(room: Any, value: Any) -> bool:
    """Can a value be copied to where another was?"""
    return (
        isinstance(room, torch.Tensor)
        and type(room) is type(value)
        and room.dtype is value.dtype
        and room.layout is value.layout is torch.strided
        and not value.is_nested  # which has no shape
        and room.shape == value.shape
        and not room.is_quantized
        and (not room.is_inference() or torch.is_inference_mode_enabled())
    )


def _check_whole(model: torch.nn.Module) -> None:
    flat = any(hasattr(module, "_fsdp_wrapped_module") for module in model.modules())
    for name, parameter in model.named_parameters():
        if flat or hasattr(parameter, "full_tensor"):
            raise RuleError(
                f"`Training(model)`: {name} is sharded over the ranks; rank 0, which writes, has "
                "only a part of it"
            )


def _stateful(name: str, part: Any) -> Any:
    if isinstance(part, torch.nn.Module):
        return unwrapped(part)
    is_one = all(callable(getattr(part, each, None)) for each in ("state_dict", "load_state_dict"))
    if not is_one and not isinstance(part, torch.Generator):
        raise RuleTypeError(
            f"`Training({name}=...)` must have `state_dict` and `load_state_dict`, or be a "
            f"torch.Generator, got {part!r:.80}"
        )
    return part


def _state_of(part: Any) -> Any:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()


def _set_state(part: Any, state: Any) -> None:
    if isinstance(part, torch.Generator):
        part.set_state(state)
    else:
        part.load_state_dict(state)


# Files --------------------------------------------------------------------------------------------


class _Noting:
    """A file that remembers the error of the system, which torch.save turns into another."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _written(path: Path, saved: dict[str, Any]) -> None:
    with open(path, "wb", buffering=1 << 20) as file:
        noting = _Noting(file)
        try:
            torch.save(saved, noting)  # type: ignore[arg-type]  # needs no more than these two
        except RuntimeError:
            if noting.error is not None:
                raise noting.error from None
            raise


def _verified(path: Path) -> None:
    """Read a file back as it will be read: better now than when it is needed."""
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise StateError(
            "a state_dict of the model or of a part holds what cannot be loaded safely "
            f"(weights_only=True): make it of tensors, numbers, texts, lists and dicts. {error}"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"the checkpoint {str(path)!r} cannot be read: {error}") from error
    except Exception as error:
        raise StateError(f"the checkpoint {str(path)!r} is damaged, or unsafe: {error}") from error
    if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
        raise StateError(f"the checkpoint {str(path)!r} was not written by a Training")
    if saved.get("version") != _VERSION:
        raise StateError(
            f"the checkpoint {str(path)!r} has version {saved.get('version')!r}, this library "
            f"reads version {_VERSION}"
        )
    return saved


# Random state -------------------------------------------------------------------------------------


def _random_state() -> dict[str, Any]:
    """The state of every generator there is, in plain types and tensors."""
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, keys.tolist(), *rest]
    return state


def _set_random_state(state: Mapping[str, Any]) -> None:
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
    if "numpy" in state:
        import numpy

        kind, keys, *rest = state["numpy"]
        numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), *rest))


# Ranks --------------------------------------------------------------------------------------------


_CAN_BE_MANY = dist.is_available()


def _world() -> int:
    return dist.get_world_size() if _CAN_BE_MANY and dist.is_initialized() else 1


def _rank() -> int:
    return dist.get_rank() if _world() > 1 else 0


def _gathered(value: Any) -> list[Any]:
    """What every rank has, on every rank."""
    values = [value] * _world()
    if _world() > 1:
        dist.all_gather_object(values, value)
    return values


def _from_first(value: Any) -> Any:
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names))) or "nothing"
