"""Resident memory of a training over 2,000 batches: flat after the start.

    python benchmarks/training_memory.py

A tiny TGAN on shape motion, read by this process; memory is looked at every 250 steps. The two
figures that are compared are the medians of the second and the last quarter of the run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data import Batches, ShapeMotion
from vidgen import TGAN
from vidgen.adversarial.game import Game
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

STEPS, EVERY = 2000, 50


def resident_mebibytes() -> float:
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmRSS:") + 1]) / 1024


def main() -> None:
    game = TGAN(num_frames=4, frame_size=16, temporal_width=16, image_width=16, critic_width=4)
    source = ShapeMotion(num_frames=4, size=16)
    seen: list[float] = []

    def look(game: Game, step: int) -> None:
        seen.append(resident_mebibytes())
        if step % (5 * EVERY) == 0:
            print(f"step {step}: {seen[-1]:.1f} MiB", flush=True)

    settings = TrainingSettings(
        steps=STEPS, batch_size=8, sample_every=EVERY, save_every=500, log_every=STEPS
    )
    with tempfile.TemporaryDirectory() as run:
        fit(
            game,
            lambda first: Batches(source, 8, 0, first=first),
            settings,
            Path(run),
            show_samples=look,
        )
    quarter = len(seen) // 4
    early, late = median(seen[quarter : 2 * quarter]), median(seen[-quarter:])
    print(f"second quarter {early:.1f} MiB, last quarter {late:.1f} MiB: {late - early:+.1f} MiB")


if __name__ == "__main__":
    main()
