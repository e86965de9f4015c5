"""3D-GAN's rule: the discriminator learns only while it is not too good (§3.1).

Wu et al., NIPS 2016. Volumes are harder to make than to judge, so that without this rule, or with
equal learning rates, the discriminator soon leaves the generator nothing to follow.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_MEMORY = 0.01


class AccuracyRule(nn.Module):
    """Remembers how often the discriminator was right, and says whether it may learn.

    Its buffers go into checkpoints, so that a resumed run decides as an uninterrupted one; as one
    of the discriminator's modules, its counts are averaged over the processes.

    Args:
        limit: Largest accuracy in the last batch with which it may learn; `None` is no limit.
    """

    def __init__(self, limit: float | None) -> None:
        super().__init__()
        if limit is not None and not 0 <= limit <= 1:
            raise ValueError(f"accuracy_limit is {limit}; it must be from 0 to 1, or null")
        self.limit = limit
        # Of the last finished batch: right and judged, of reals and fakes. At first nothing.
        for name in ("last_right", "last_judged", "right", "judged"):
            self.register_buffer(name, torch.zeros(2))
        self.register_buffer("skipped", torch.zeros(()))
        self.last_right: Tensor
        self.last_judged: Tensor
        self.right: Tensor
        self.judged: Tensor
        self.skipped: Tensor

    @torch.no_grad()
    def watch(
        self, real_logits: Float[Tensor, " real"], fake_logits: Float[Tensor, " fake"]
    ) -> None:
        """Counts the right ones of a batch or a part of it; a logit of 0 is wrong either way."""
        right = torch.stack([(real_logits > 0).sum(), (fake_logits < 0).sum()])
        self.right += right.float()
        self.judged += torch.tensor([len(real_logits), len(fake_logits)]).to(self.judged)

    def may_move(self) -> bool:
        """Whether the last batch's accuracy, if there was one, is at most the limit."""
        # Both sides are rounded to float32 once, so that 8 of 10 is not more than 0.8.
        return self.limit is None or not self.accuracy() > float(torch.tensor(self.limit))

    def accuracy(self) -> float:
        """Share of the last batch, real and generated, that was judged rightly; NaN before."""
        return (self.last_right.sum() / self.last_judged.sum()).item()

    @torch.no_grad()
    def turn(self) -> None:
        """Makes the batch that was watched the last one."""
        self.skipped.lerp_(torch.tensor(float(not self.may_move())).to(self.skipped), _MEMORY)
        self.last_right.copy_(self.right)
        self.last_judged.copy_(self.judged)
        self.right.zero_()
        self.judged.zero_()

    def figures(self) -> dict[str, float]:
        """For the log: accuracies of the last batch, and the recent share of skipped moves."""
        if not self.last_judged.all():
            return {}
        real, fake = (self.last_right / self.last_judged).tolist()
        return {
            "discriminator/accuracy": self.accuracy(),
            "discriminator/accuracy_real": real,
            "discriminator/accuracy_fake": fake,
            "discriminator/skipped": self.skipped.item(),
        }
