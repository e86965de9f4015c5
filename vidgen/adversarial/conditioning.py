"""How a class enters a network: normalization whose scale and shift depend on it."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.adversarial.blocks import batch_norm


class ConditionalBatchNorm(nn.Module):
    """BatchNorm of moments that all classes share, with a scale and a shift for each class.

    Without classes it is plain BatchNorm. Source: TGANv2 (Saito et al., 2020), §4.6.

    Args:
        dimensions: 1 for features and sequences, 2 for images, 3 for clips and volumes.
        channels: Size of axis 1.
        num_classes: Classes; 0 is unconditional.
        epsilon: Added to the variance.
    """

    def __init__(
        self, dimensions: int, channels: int, num_classes: int = 0, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        plain = num_classes == 0
        self.norm = batch_norm(dimensions, channels, scale=plain, shift=plain, epsilon=epsilon)
        self.scale = self.shift = None
        if num_classes:
            self.scale = nn.Embedding(num_classes, channels)
            self.shift = nn.Embedding(num_classes, channels)
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)

    def forward(
        self,
        features: Float[Tensor, "batch channel ..."],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch channel ..."]:
        """Normalized features; labels are class numbers, and asked for if there are classes."""
        normal = self.norm(features)
        if self.scale is None or self.shift is None:
            return normal
        assert labels is not None, "a conditional BatchNorm needs labels"
        places = (..., *[None] * (features.ndim - 2))
        return normal * self.scale(labels)[places] + self.shift(labels)[places]
