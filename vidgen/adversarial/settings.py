"""How long, how much at once, how often saved: the settings that no model changes.

Free of torch, so that the help of the command line answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingSettings:
    """The course of a training.

    Args:
        steps: Turns of all players in the whole run, earlier sittings counted in.
        batch_size: Real examples in a step, over all devices and accumulated parts together.
        accumulate: Parts that a batch is cut into, to fit into memory; gradients are added up.
        seed: Fixes the order of the data, the latents and the initial weights.
        save_every: Steps between checkpoints.
        keep: Newest checkpoints that are kept.
        sample_every: Steps between sample pictures; 0 is none.
        num_samples: Clips in a sample picture, always from the same latents.
        evaluate_every: Steps between judgements of samples, each with a checkpoint; 0 is none.
        evaluate: Metrics for it, with commas between: acd, change, unevenness, freeze, flicker,
            ms_ssim, swd, swd_motion; with `extractor` also is, fid, fvd, kvd, precision, recall.
        evaluate_samples: Clips that are judged, and real ones that they are compared with.
        extractor: Network that judges: a file made by `vidgen fit_classifier`.
        log_every: Steps between lines of log.jsonl.
        num_workers: Processes that read and decode; 0 reads in the training process.
        average: Decay of a running average of the generator's weights, for instance 0.999;
            `None` keeps none.
        clip_gradients: Largest norm of a player's gradient; `None` does not clip.
        precision: Arithmetic of the networks; bf16-mixed is faster on GPUs and recent CPUs.
        channels_last: Store convolution weights with the channel innermost; faster on some devices.
        accelerator: Kind of device; "auto" takes a GPU if there is one.
        devices: Devices in this process group; "auto" takes what torchrun started, else one.
        max_bad_steps: Moves in a row with gradients that are not finite before the run gives up.
    """

    steps: int = 100_000
    batch_size: int = 32
    accumulate: int = 1
    seed: int = 0
    save_every: int = 1000
    keep: int = 3
    sample_every: int = 500
    num_samples: int = 16
    evaluate_every: int = 0
    evaluate: str = "acd"
    evaluate_samples: int = 256
    extractor: str | None = None
    log_every: int = 10
    num_workers: int = 2
    average: float | None = None
    clip_gradients: float | None = None
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    channels_last: bool = False
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int | Literal["auto"] = "auto"
    max_bad_steps: int = 20

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "save_every", "keep", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("steps", "sample_every", "num_samples", "evaluate_every", "num_workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"training.{name} is {getattr(self, name)}; it must be 0 or more")
        if self.evaluate_samples < 2:
            raise ValueError(
                f"training.evaluate_samples is {self.evaluate_samples}; it must be 2 or more"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"training.batch_size {self.batch_size} cannot be cut into "
                f"training.accumulate {self.accumulate} equal parts"
            )


# What a resumed run may change: how long and how it is watched, not what is learned.
FREE_TO_CHANGE = frozenset(
    {
        "steps",
        "save_every",
        "keep",
        "sample_every",
        "num_samples",
        "evaluate_every",
        "evaluate",
        "evaluate_samples",
        "extractor",
        "log_every",
        "num_workers",
        "accelerator",
        "devices",
        "max_bad_steps",
    }
)
