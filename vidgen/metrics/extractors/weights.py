"""Weights from files: safetensors, the published npz of C3D, state dicts. Nothing is executed."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vidgen.errors import UserError

# In the published archives a layer's weight is `conv1a/W`, its bias `conv1a/b`.
_PUBLISHED = {"W": "weight", "b": "bias"}


def existing_file(path: Path | None, option: str, what: str, origin: str) -> Path:
    """The path, where there is a file.

    Args:
        path: What the user gave.
        option: With which option.
        what: What the file should hold.
        origin: Where such a file comes from.

    Raises:
        UserError: None was given, or there is no such file.
    """
    if path is None:
        raise UserError(f"{what} must be given with {option} FILE; {origin}")
    if not path.is_file():
        raise UserError(f"{option} {path} is not a file; it should hold {what}: {origin}")
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a `.npz` in the published layout, a `.safetensors` or a state dict.

    Raises:
        UserError: The file is none of these.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {_own_name(name): torch.from_numpy(arrays[name]) for name in arrays.files}
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        ValueError,
        RuntimeError,
        EOFError,
        SafetensorError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise UserError(f"{path} cannot be read as weights: {reason}") from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path} holds no state dict; save one with torch.save(net.state_dict())")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def load_weights_(network: nn.Module, path: Path) -> None:
    """Puts the weights of a file into a network, none missing and none left over.

    Those of a network on the meta device take the place of its own, which hold no memory.

    Raises:
        UserError: They do not fit.
    """
    weights = read_weights(path)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    missing, unused = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    wrong = [name for name in expected if name in found and expected[name] != found[name]]
    if missing or unused or wrong:
        first = (missing or unused or wrong)[0]
        raise UserError(
            f"the weights of {path} do not fit: {len(missing)} are missing, {len(unused)} unknown, "
            f"{len(wrong)} of another shape; {first!r} for instance"
        )
    floats = {n: v.float() if v.is_floating_point() else v for n, v in weights.items()}
    network.load_state_dict(floats, assign=True)


def save_published(network: nn.Module, path: Path) -> None:
    """Writes weights as an npz in the published layout, `conv1a/W`, `conv1a/b`, ..."""
    published = {ours: theirs for theirs, ours in _PUBLISHED.items()}
    arrays = {}
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        arrays[f"{layer}/{published[kind]}"] = value.cpu().numpy()
    np.savez(path, **arrays)


def _own_name(published: str) -> str:
    layer, _, kind = published.rpartition("/")
    return f"{layer}.{_PUBLISHED[kind]}" if layer and kind in _PUBLISHED else published
