"""Generative adversarial networks for video: the papers' games and what trains them.

The names below are imported when first used, so that `python -m vidgen --help` does not wait
for torch. They are also the only classes that a checkpoint may name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidgen.adversarial.optimizers import OptimizerSettings
    from vidgen.mocogan import MoCoGAN
    from vidgen.mocogan_image import ImageToVideoMoCoGAN
    from vidgen.tgan import TGAN
    from vidgen.tgan_volumetric import VolumetricTGAN
    from vidgen.tganv2 import TGANv2
    from vidgen.trajectories.settings import DifferentialSettings
    from vidgen.vgan import VGAN
    from vidgen.vgan_image import ImageVGAN
    from vidgen.video_autoencoder import VideoAutoencoder

__version__ = "0.1.0"
__all__ = [
    "TGAN",
    "VGAN",
    "DifferentialSettings",
    "ImageToVideoMoCoGAN",
    "ImageVGAN",
    "MoCoGAN",
    "OptimizerSettings",
    "TGANv2",
    "VideoAutoencoder",
    "VolumetricTGAN",
]

_HOMES = {
    "DifferentialSettings": "vidgen.trajectories.settings",
    "ImageToVideoMoCoGAN": "vidgen.mocogan_image",
    "MoCoGAN": "vidgen.mocogan",
    "OptimizerSettings": "vidgen.adversarial.optimizers",
    "TGAN": "vidgen.tgan",
    "TGANv2": "vidgen.tganv2",
    "VGAN": "vidgen.vgan",
    "ImageVGAN": "vidgen.vgan_image",
    "VideoAutoencoder": "vidgen.video_autoencoder",
    "VolumetricTGAN": "vidgen.tgan_volumetric",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidgen' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
