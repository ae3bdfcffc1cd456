"""Reads what `torch.distributed.checkpoint` has written, without executing anything."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta, TensorStorageMetadata

from earlystop.errors import StateError

__all__ = ["ShardReader"]

# Of these modules, classes and functions that only hold data.
_DATA = {
    "torch.distributed.checkpoint.metadata": None,
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo", "_StoragePrefix"},
    "torch": {"Size", "device"},
    "torch._utils": {"_get_layout"},
    "torch.serialization": {"_get_layout"},
    "collections": {"OrderedDict"},
    "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
}


class ShardReader(FileSystemReader):
    """A `FileSystemReader` whose metadata, a pickle, may hold nothing but metadata.

    Tensors are read by PyTorch itself, with `weights_only=True`.
    """

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        path = Path(self.path, ".metadata")
        with open(path, "rb") as file:
            try:
                metadata = _Unpickler(file).load()
            except Exception as error:
                raise StateError(f"the file {str(path)!r} is damaged, or unsafe: {error}") from None
        # PyTorch would read what is no tensor as a pickle.
        if not isinstance(metadata, Metadata) or not all(
            isinstance(each, TensorStorageMetadata)
            for each in metadata.state_dict_metadata.values()
        ):
            raise StateError(f"the file {str(path)!r} is damaged, or unsafe: not only of tensors")
        if metadata.storage_meta is None:
            metadata.storage_meta = StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _Unpickler(pickle.Unpickler):
    """Knows the classes of metadata alone."""

    def find_class(self, module: str, name: str) -> Any:
        known = _DATA.get(module, set())
        if known is None or name in known:
            found = super().find_class(module, name)
            if known is not None or _is_own_class(found, module):
                return found
        dtype = getattr(torch, name, None) if module == "torch" else None
        if isinstance(dtype, torch.dtype):
            return dtype
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _is_own_class(found: Callable[..., Any], module: str) -> bool:
    return isinstance(found, type) and found.__module__ == module
