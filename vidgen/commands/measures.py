"""What metrics need to know of each clip: the columns that are kept."""

from __future__ import annotations

import torch
from torch import Tensor

from vidgen.commands.clip_sets import NumberedClips
from vidgen.errors import UserError
from vidgen.metrics.content import average_content_distance, shape_colors
from vidgen.metrics.extractors.base import Extractor
from vidgen.metrics.extractors.identity import Embedder
from vidgen.metrics.motion import flicker_rate, frame_differences, freeze_rate
from vidgen.metrics.neighbours import thumbnails
from vidgen.metrics.similarity import ms_ssim_per_frame, psnr_per_frame, ssim_per_frame
from vidgen.metrics.wasserstein import laplacian_pyramid, random_patches, space_time_slices

_PATCHES_A_CLIP = 32


class Content:
    """ACD of each clip, by the mean color of its shape or by an identity network.

    Args:
        threshold: Pixels brighter than this, of 255, belong to the shape.
        embedder: Gives a vector a frame in place of the color.
    """

    def __init__(self, threshold: float, embedder: Embedder | None = None) -> None:
        self._threshold, self._embedder = threshold, embedder
        self.key = f"acd by shape color above {threshold:g}"
        if embedder is not None:
            self.key = f"acd by {embedder.protocol} {embedder.sha256}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`acd` and `empty_frames`, in which no shape was found."""
        if self._embedder is None:
            vectors, num_empty = shape_colors(made.clips, self._threshold)
        else:
            vectors = self._embedder(made.clips)
            num_empty = torch.zeros(len(vectors), dtype=torch.int64)
        return {"acd": average_content_distance(vectors), "empty_frames": num_empty}


class Judged:
    """Logits and features by a network.

    Args:
        extractor: The network.
        batch_size: Clips that it sees at once.
    """

    def __init__(self, extractor: Extractor, batch_size: int) -> None:
        self._extractor, self._batch_size = extractor, batch_size
        self.key = f"{extractor.protocol} {extractor.sha256}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`logits` and `features`."""
        parts = [self._extractor(clips) for clips in made.clips.split(self._batch_size)]
        return {
            "logits": torch.cat([part.logits.float() for part in parts]),
            "features": torch.cat([part.features.float() for part in parts]),
        }


class Motion:
    """How much changes from frame to frame."""

    key = "motion"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`change`, `unevenness`, `freeze` and `flicker`."""
        changes = frame_differences(made.clips)
        return {
            "change": changes.mean(dim=1),
            "unevenness": changes.std(dim=1, correction=0),
            "freeze": freeze_rate(made.clips),
            "flicker": flicker_rate(made.clips),
        }


class Patches:
    """Patches of a pyramid of one frame of each clip, or of the changes over time in one slice.

    Of a slice through space and time as it is, a patch is mostly the stripes of a still ground: on
    real actions it could hardly tell frozen or shuffled clips from others. Their changes can.

    Args:
        slices: Whether changes in slices are taken in place of frames.
    """

    def __init__(self, slices: bool) -> None:
        self._slices = slices
        seen = "changes in space-time slices" if slices else "frames"
        self.key = f"{_PATCHES_A_CLIP} patches of {seen}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`level0`, the finest, and so on.

        Raises:
            ValueError: The clips are too small or too short for a patch.
        """
        clips = made.clips.cpu()
        # The same places in every chunk: a clip's row depends on its place in it alone.
        generator = torch.Generator().manual_seed(0)
        places = torch.rand(len(clips), generator=generator)
        if self._slices:
            rows = (places * clips.shape[3]).long().tolist()
            images = space_time_slices(clips, rows)
        else:
            times = (places * clips.shape[2]).long()
            images = clips[torch.arange(len(clips)), :, times]
        levels = laplacian_pyramid(images)
        if self._slices:
            levels = [level.diff(dim=2) for level in levels]
        return {
            f"level{number}": random_patches(level, _PATCHES_A_CLIP, generator.manual_seed(number))
            for number, level in enumerate(levels)
        }


class Pairs:
    """MS-SSIM of neighbouring clips of the set, which are independent samples."""

    key = "ms-ssim of pairs"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`similarity`, a row a pair: clips 0 and 1, 2 and 3, ..."""
        even = len(made.clips) // 2 * 2
        first, second = made.clips[0:even:2], made.clips[1:even:2]
        try:
            return {"similarity": ms_ssim_per_frame(first, second).mean(dim=1)}
        except ValueError as error:
            raise UserError(f"ms_ssim: {error}; leave it out of --metrics") from error


class Levels:
    """How alike the lowest and the highest resolution of a clip are, at each time."""

    key = "lowest level, enlarged bilinearly, against the highest"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`psnr` and `ssim`, a column a frame."""
        # One at a time: in double precision 32 clips of 192 pixels would take gigabytes.
        pairs = [pair.chunk(2, dim=1) for pair in made.clips.split(1)]
        return {
            "psnr": torch.cat([psnr_per_frame(*pair) for pair in pairs]),
            "ssim": torch.cat([ssim_per_frame(*pair) for pair in pairs]),
        }


class Thumbnails:
    """Clips as seen from afar, to find the nearest."""

    key = "thumbnails"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`thumbnail`."""
        return {"thumbnail": thumbnails(made.clips)}
