"""Generative adversarial networks for shapes: 3D-GAN, 3D-VAE-GAN and their baseline.

The names below are imported when first used, so that a command's help does not wait for torch.
They are also the only classes that a checkpoint may name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxel.autoencoder import VoxelAutoencoder
    from voxel.gan import VoxelGAN
    from voxel.vae_gan import VoxelVAEGAN

__all__ = ["VoxelAutoencoder", "VoxelGAN", "VoxelVAEGAN"]

_HOMES = {
    "VoxelAutoencoder": "voxel.autoencoder",
    "VoxelGAN": "voxel.gan",
    "VoxelVAEGAN": "voxel.vae_gan",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'voxel' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
