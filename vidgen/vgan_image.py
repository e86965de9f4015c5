"""VGAN that goes on from one image: the "future generation" of the article, §4.3.

Figure 6, left to right, at the published size (the authors' network, `encoder="wide"`):

    first frame 3×64×64 → convolutions 128×32×32 → 256×16×16 → 512×8×8 → code 1024×4×4
    code → foreground and mask: 1024×2×4×4 → 512×4×8×8 → 256×8×16×16 → 128×16×32×32 → 4×32×64×64
    code → background: 512×8×8 → 256×16×16 → 128×32×32 → 3×64×64
    m·f + (1 - m)·b → clip 3×32×64×64; its first frame shall be the image
    clip → VGAN's discriminator, 128 channels wide → real or generated

Where this differs from the paper
    - The article's encoder ends in the latent (100) of the unchanged VGAN; the authors' code has
      none such, and twice the width everywhere. `encoder="bottleneck"` is the article's.
    - The first frame is compared by mean absolute difference, λ = 10 (article's text and code);
      its equation 3 has the square, `first_frame_distance="squared"`.
    - No sparsity prior on the mask (code; the article does not say).
There is no noise: one image has one future. Samples by seed, as in a run's pictures, go on from
images that the game met first in its training and keeps.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.game import Batch
from vidgen.adversarial.latents import Randomness
from vidgen.adversarial.losses import LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.discriminators import SpacetimeDiscriminator
from vidgen.errors import UserError
from vidgen.streams import ImageEncoder, TwoStreamGenerator
from vidgen.vgan import ADAM, Order, StreamGame, decode_streams

NUM_KEPT_IMAGES = 64


class ImageToClip(nn.Module):
    """Image encoder, then two streams.

    Args:
        encoder: Gives what the streams decode.
        streams: Give a clip and what it is made of.
    """

    def __init__(self, encoder: ImageEncoder, streams: TwoStreamGenerator) -> None:
        super().__init__()
        self.encoder = encoder
        self.streams = streams

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> dict[str, Float[Tensor, "batch channel time height width"]]:
        """`video`, `foreground`, `mask` and `background` of clips that begin with the images."""
        return self.streams(self.encoder(images))


class ImageVGAN(StreamGame):
    """VGAN whose generator sees the first frame of a real clip in place of a latent.

    Args:
        num_frames: Frames of a clip; a multiple of frame_size / 4.
        frame_size: Height and width in pixels, a power of two from 8 on.
        channels: 3 for colour, 1 for grey.
        encoder: "wide" is the authors' network, "bottleneck" the article's, through a latent.
        latent_dim: Size of the latent behind the bottleneck; no effect on "wide".
        width: Channels of the encoder's first layer, before the last layer of each stream and of
            the discriminator's first layer; `None` is 128 for "wide" and 64 for "bottleneck".
        discriminator_outputs: 2 is a softmax over real and generated, 1 their log-odds.
        loss: The adversarial loss.
        first_frame_weight: λ of the distance between the image and the first frame.
        first_frame_distance: Mean absolute or mean squared difference.
        mask_weight: λ of the mask's sparsity prior, a mean over the mask; 0 is none.
        order: Who moves first; "generator_first" shares the generator's fakes with the
            discriminator, which saves a pass through the generator.
        optimizer: Of the generator, and of the discriminator unless that has its own.
        discriminator_optimizer: Of the discriminator; `None` is the generator's.
    """

    def __init__(
        self,
        *,
        num_frames: int = 32,
        frame_size: int = 64,
        channels: Literal[1, 3] = 3,
        encoder: Literal["wide", "bottleneck"] = "wide",
        latent_dim: int = 100,
        width: int | None = None,
        discriminator_outputs: Literal[1, 2] = 2,
        loss: LossName = "non_saturating",
        first_frame_weight: float = 10.0,
        first_frame_distance: Literal["absolute", "squared"] = "absolute",
        mask_weight: float = 0.0,
        order: Order = "discriminator_first",
        optimizer: OptimizerSettings = ADAM,
        discriminator_optimizer: OptimizerSettings | None = None,
    ) -> None:
        clip_shape = (channels, num_frames, frame_size, frame_size)
        wide = encoder == "wide"
        if width is None:
            width = 128 if wide else 64
        image_encoder = ImageEncoder(channels, frame_size, width, None if wide else latent_dim)
        streams = TwoStreamGenerator(
            image_encoder.out_channels, image_encoder.out_size, clip_shape, width
        )
        super().__init__(
            clip_shape,
            ImageToClip(image_encoder, streams),
            SpacetimeDiscriminator(clip_shape, width, discriminator_outputs),
            loss,
            mask_weight,
            order,
            optimizer,
            discriminator_optimizer,
        )
        self.first_frame_weight = first_frame_weight
        self.first_frame_distance = first_frame_distance
        # First frames of the first training clips, in pixels, for samples by seed.
        kept = torch.zeros(NUM_KEPT_IMAGES, channels, frame_size, frame_size, dtype=torch.uint8)
        self.register_buffer("kept_images", kept)
        self.register_buffer("num_kept", torch.tensor(0))
        self.kept_images: Tensor
        self.num_kept: Tensor

    # Equation 3.

    def _source(self, batch: Batch) -> Float[Tensor, "batch channel height width"]:
        return batch.real[:, :, 0]

    def _further_terms(self, batch: Batch, streams: dict[str, Tensor]) -> dict[str, Tensor]:
        first_frames = self._source(batch)
        self._keep(first_frames)
        measure = {"absolute": functional.l1_loss, "squared": functional.mse_loss}
        distance = measure[self.first_frame_distance](
            streams["video"][:, :, 0].float(), first_frames
        )
        return {"first_frame": self.first_frame_weight * distance}

    def _keep(self, images: Float[Tensor, "batch channel height width"]) -> None:
        held = int(self.num_kept)
        fresh = self.to_pixels(images[: NUM_KEPT_IMAGES - held])
        self.kept_images[held : held + len(fresh)] = fresh
        self.num_kept += len(fresh)

    # What the trained game is for.

    def animate(
        self,
        images: Float[Tensor, "batch channel height width"],
        num_frames: int | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] that go on from images in [-1, 1].

        Args:
            images: As high and wide as the frames that the game was trained on.
            num_frames: Length; `None` is the trained one.

        Raises:
            UserError: The images have another shape, or more frames are asked than it makes.
        """
        channels, _, height, width = self.example_shape
        if images.shape[1:] != (channels, height, width):
            raise UserError(
                f"the images are {' x '.join(map(str, images.shape[1:]))}, but this model goes on "
                f"from {channels} x {height} x {width} (channel x height x width); resize them"
            )
        return decode_streams(self, images, num_frames)["video"]

    def _seeded_source(
        self, randomness: Randomness, count: int, truncation: float
    ) -> Float[Tensor, "count channel height width"]:
        del truncation
        if not self.num_kept:
            raise UserError(
                "this model goes on from an image and has met none yet; train it, or give it one "
                "with the animate command"
            )
        chosen = randomness.choice(count, torch.ones(int(self.num_kept)))
        return self.from_pixels(self.kept_images[chosen.to(self.device)])
