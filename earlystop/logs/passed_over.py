"""Files of a folder that are no logs by their names: hidden ones, sources, settings, weights, ...

They are not opened. A file that is given by its name is always opened.
"""

from __future__ import annotations

import collections
import os
import re

from .._text import count

__all__ = ["PassedOver"]

_LISTED = """
    py pyc pyi pyx ipynb r rmd jl m java scala go rs c cc cpp cxx h hpp hxx cu cuh o a so
    dll dylib exe js ts jsx tsx css scss html htm xml sh bash zsh bat ps1 cmd sql proto md
    rst tex bib sty ps eps doc docx ppt pptx xls xlsx odt pdf yaml yml toml cfg ini conf env
    lock properties gin png jpg jpeg gif svg bmp webp tif tiff ico mp4 avi mov mkv webm wav
    mp3 flac ogg ttf otf woff woff2 pt pth ckpt bin safetensors h5 hdf5 hdf keras onnx pb
    tflite mar pkl pickle joblib dill msgpack model cbm ubj gguf ggml mlmodel index meta
    weights whl zip tar tgz 7z rar jar ply obj stl nii dcm las laz mat tfrecord tfrecords
    lmdb mdb vocab spm nib jsonnet dvc prototxt cmake mk in el org nc sav bak sbatch patch diff
"""
_ENDINGS = frozenset(f".{ending}" for ending in _LISTED.split())
_TEXT = frozenset(("", ".txt", ".json"))
_NAMES = re.compile(
    r"""(?ix)
    (.*[._-])?(config|configs|cfg|args|hparams|hyperparameters|hyper_params|settings|options|opt
        |params|tokenizer|tokenizer_config|vocab|special_tokens_map|added_tokens)
        \.(json|txt)
    | (.*[._-])?requirements.*\.txt | package(-lock)?\.json | tsconfig\.json | conda.*\.txt
    | (readme|licen[cs]e|notice|authors|contributing|changelog|citation|install|todo)(\.txt)?
    | makefile | dockerfile | cmakelists\.txt | merges\.txt
    """
)


class PassedOver:
    """What is passed over in one folder and those below it, counted by kind."""

    def __init__(self) -> None:
        self.links = 0
        self._kinds: collections.Counter[str] = collections.Counter()

    def takes(self, name: str) -> bool:
        """Is a file of this name passed over? It is then counted."""
        kind = _kind(name)
        if kind:
            self._kinds[kind] += 1
        return bool(kind)

    def notes(self) -> list[str]:
        """What was passed over, and how to read it."""
        found = []
        if self._kinds:
            kinds = ", ".join(f"{kind} {n:,}" for kind, n in self._kinds.most_common(8))
            more = ", ..." if len(self._kinds) > 8 else ""
            number = count(self._kinds.total(), "file")
            found.append(f"{number} passed over, no logs by their names: {kinds}{more}")
        if self.links:
            found.append(
                f"{count(self.links, 'link')} left out: to follow them, name them, or give a "
                "pattern such as 'FOLDER/*'"
            )
        return found


def _kind(name: str) -> str:
    """What a file is by its name; "" for what may be a log."""
    if name.startswith("."):
        return "hidden"
    if name.endswith("~"):
        return "hidden"
    if ".tfevents" in name:
        return ""
    ending = os.path.splitext(name)[1].lower()
    if ending in _ENDINGS:
        return ending
    return name if ending in _TEXT and _NAMES.fullmatch(name) else ""
