"""MoCoGAN from one image: the video begins with a given picture and goes on as training clips do.

Source: MoCoGAN (Tulyakov et al., 2018), §4.3, image-to-video translation. An encoder finds the
content and the first motion code of the image; the motion network walks on from there.

    image 3×64×64 → 64×32×32 → 128×16×16 → 256×8×8 → 512×4×4 → content (50), first motion code (10)
    first motion code, noise ε (10 a frame) → motion network → motion codes (16 × 10)
    content, motion code of a frame → image generator → frame; frame 0 is the image again

Where this differs from the paper
    - The article describes the encoder-decoder as one "in the style of UNIT" without sizes, and no
      code was released. Ours mirrors the image judge and hands on one vector, no feature maps.
    - Frame 0 is drawn from the encoder's own motion code, so the reconstruction and the video are
      one; the weight of the L1 term (10) is not in the article.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import initialize_
from vidgen.adversarial.game import Batch, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from vidgen.mocogan import MoCoGAN
from vidgen.mocogan_generator import Labels, VideoLatents


class ImageEncoder(nn.Module):
    """An image → its content and its motion code.

    Args:
        content_dim: Size of the content code.
        motion_dim: Size of the motion code.
        frame_size: Height and width, a multiple of 16.
        channels: Colours of the image.
        width: Channels of the first layer; doubled by each.
    """

    def __init__(
        self, content_dim: int, motion_dim: int, frame_size: int, channels: int, width: int
    ) -> None:
        super().__init__()
        self.sizes = [content_dim, motion_dim]
        layers: list[nn.Module] = []
        before = channels
        for level in range(4):
            after = width * 2**level
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
            if level:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, sum(self.sizes), frame_size // 16))

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> tuple[Float[Tensor, "batch content"], Float[Tensor, "batch motion"]]:
        """Content and first motion code."""
        content, motion = self.layers(images).flatten(1).split(self.sizes, dim=1)
        return content, motion


class ImageToVideoMoCoGAN(MoCoGAN):
    """MoCoGAN whose clips begin with a given image.

    Takes the options of `MoCoGAN`.

    Args:
        reconstruction_weight: Weight of the mean absolute difference between the given image and
            frame 0.
        encoder_width: Channels of the encoder's first layer.
        remembered: Images of the training data kept for `sample`, which is given none.
    """

    generating = ("generator", "encoder")

    def __init__(
        self,
        *,
        reconstruction_weight: float = 10.0,
        encoder_width: int = 64,
        remembered: int = 16,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        # A description lists the options of MoCoGAN beside the others, not as one named `options`.
        self.arguments |= self.arguments.pop("options", {})
        channels, num_frames, frame_size, _ = self.example_shape
        if self.video_lengths != [num_frames]:
            raise ValueError(
                "every clip begins with its image here, so video_lengths has no meaning: leave it "
                "out"
            )
        self.reconstruction_weight = reconstruction_weight
        self.generator.begin_at_start = True
        self.encoder = ImageEncoder(
            self.content_dim, self.motion_dim, frame_size, channels, encoder_width
        )
        if options.get("initialization", "default") != "default":
            initialize_(self.encoder, options["initialization"])
        self.register_buffer("images", torch.zeros(remembered, channels, frame_size, frame_size))
        self.register_buffer("num_images", torch.zeros((), dtype=torch.long))
        self.images: Tensor
        self.num_images: Tensor

    def _fake_latents(self, batch: Batch, num_frames: int) -> VideoLatents:
        self._remember(batch)
        latents = super().latents(self.randomness, len(batch), num_frames)
        content, start = self.encoder(batch.real[:, :, 0])
        return replace(latents, content=content, start=start)

    def _further_terms(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        difference = (fake[:, :, 0] - batch.real[:, :, 0]).abs().mean()
        return {"reconstruction": self.reconstruction_weight * difference}

    def _remember(self, batch: Batch) -> None:
        """Keeps first frames until there are enough: the same ones in every sample picture."""
        if "remembered" in batch.made:
            return
        begun = int(self.num_images)
        new = batch.real[: len(self.images) - begun, :, 0]
        self.images[begun : begun + len(new)] = new
        self.num_images += len(new)
        batch.made["remembered"] = new

    def latents(
        self,
        randomness: Randomness,
        count: int,
        num_frames: int | None = None,
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> VideoLatents:
        """See `MoCoGAN`; content and start are those of remembered training images.

        Raises:
            UserError: The game has seen no image yet.
        """
        images = self._remembered_images(randomness, count)
        latents = super().latents(randomness, count, num_frames, labels, truncation)
        return self._beginning_with(images, latents)

    def fakes(self, count: int) -> Float[Tensor, "count channel time height width"]:
        """See `MoCoGAN`; the encoder counts the moments of remembered images too."""
        content, start = self.encoder(self._remembered_images(self.randomness, count))
        latents = super().latents(self.randomness, count)
        return self.generator(replace(latents, content=content, start=start))

    def _remembered_images(self, randomness: Randomness, count: int) -> Tensor:
        if not int(self.num_images):
            raise UserError("this game has seen no image yet: train it first, or give it images")
        chosen = randomness.choice(count, torch.ones(int(self.num_images)))
        return self.images[chosen.to(self.device)]

    def animate(
        self,
        images: Float[Tensor, "batch channel height width"],
        num_frames: int | None = None,
        seeds: Sequence[int] | None = None,
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] that begin with images in [-1, 1].

        Args:
            images: One a clip, of the game's size.
            num_frames: Length; `None` is the trained one.
            seeds: One a clip, of its motion; `None` is 0, 1, ….
            labels: As in `sample`.
            truncation: Below 1 the motion's noise is smaller.

        Raises:
            UserError: The images have another shape than the game's frames.
        """
        channels, _, height, width = self.example_shape
        if images.ndim != 4 or tuple(images.shape[1:]) != (channels, height, width):
            raise UserError(
                f"images of shape {tuple(images.shape[1:])} were given, but this game's frames "
                f"are {(channels, height, width)}; resize them first"
            )
        randomness = SeedRandomness(range(len(images)) if seeds is None else seeds)
        latents = super().latents(randomness, len(images), num_frames, labels, truncation)
        return self.render(self._beginning_with(images.to(self.device), latents))

    def _beginning_with(self, images: Tensor, latents: VideoLatents) -> VideoLatents:
        """The latents with the images' contents and first motion codes, found one by one."""
        with evaluation(self):
            content, start = zip(*(self.encoder(image[None]) for image in images), strict=True)
        return replace(latents, content=torch.cat(content), start=torch.cat(start))
