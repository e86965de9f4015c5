"""torchvision beside a PyTorch that its compiled operators were not built for.

The wheel of torchvision is built against a CUDA PyTorch. Beside a CPU one its operators do not
load, and `import torchvision` fails with "operator torchvision::nms does not exist", because it
describes `nms` and `qnms` to the compiler without looking whether they are there. Declared
beforehand, all that is written in Python works: transforms, grids, video models. Only the compiled
operators themselves do not.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch


def import_torchvision() -> ModuleType:
    """The module torchvision; import it, or what imports it, through or after this call.

    Raises:
        ImportError: torchvision is not installed.
    """
    declare_missing_operators()
    return importlib.import_module("torchvision")


@cache  # once in a process, and the cache keeps the declaration alive as long as the process
def declare_missing_operators() -> torch.library.Library | None:
    """Declares `nms` and `qnms` if torchvision's own do not load.

    Returns:
        What holds the declaration, or `None` where the compiled operators load (they are loaded
        then, as torchvision would do itself) or torchvision is not installed.
    """
    package = find_spec("torchvision")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent
    compiled = [folder / f"_C{suffix}" for suffix in EXTENSION_SUFFIXES]
    for file in filter(Path.is_file, compiled):
        with suppress(OSError):
            torch.ops.load_library(str(file))
            return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
