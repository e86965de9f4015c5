"""VGAN's discriminator as a classifier of actions: what it has learned without labels.

Source: VGAN (Vondrick et al., 2016), §4.2, and the authors' code.
"""

from __future__ import annotations

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.game import Game
from vidgen.discriminators import SpacetimeDiscriminator
from vidgen.errors import UserError
from vidgen.streams import initialize_streams_


class ActionClassifier(nn.Module):
    """A discriminator's trunk, dropout of whole maps, and a last convolution for K classes.

    3×32×64×64 → trunk 512×2×4×4 → dropout → K logits. The last convolution keeps torch's own
    initialisation: with weights near 0 and this dropout it would hardly begin to learn.

    Args:
        discriminator: Its trunk is copied, its last layer left out.
        num_classes: K.
        dropout: Share of the trunk's maps that are left out in training.
        frozen: Only the last layer learns, and the trunk's BatchNorm keeps its running moments:
            the linear probe.
    """

    def __init__(
        self,
        discriminator: SpacetimeDiscriminator,
        num_classes: int,
        dropout: float = 0.5,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}; there must be 2 or more to tell apart")
        self.frozen = frozen
        self.trunk = deepcopy(discriminator.trunk).requires_grad_(not frozen)
        self.dropout = nn.Dropout3d(dropout)
        self.head = nn.Conv3d(discriminator.trunk_channels, num_classes, discriminator.trunk_size)
        self.train()

    def forward(
        self, clip: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the classes, of clips in [-1, 1]."""
        return self.head(self.dropout(self.trunk(clip))).flatten(1)

    def train(self, mode: bool = True) -> ActionClassifier:
        """As in torch, but a frozen trunk stays in evaluation mode, or its moments would drift."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self


def action_classifier(
    game: Game,
    num_classes: int,
    dropout: float = 0.5,
    pretrained: bool = True,
    frozen: bool = False,
) -> ActionClassifier:
    """The classifier made of a game's discriminator; the game itself stays as it is.

    Args:
        game: One of VGAN's, trained without labels.
        num_classes: Classes to tell apart.
        dropout: Share of the trunk's maps that are left out in training.
        pretrained: Begin with the game's weights; false draws them anew, from scratch.
        frozen: Only the last layer learns.

    Raises:
        UserError: The game has no such discriminator.
    """
    discriminator = getattr(game, "discriminator", None)
    if not isinstance(discriminator, SpacetimeDiscriminator):
        raise UserError(
            f"a {type(game).__name__} has no discriminator of clips that could be fine-tuned; "
            "use a run of vidgen.VGAN or vidgen.ImageVGAN"
        )
    classifier = ActionClassifier(discriminator, num_classes, dropout, frozen)
    if not pretrained:
        initialize_streams_(classifier.trunk)
        for part in classifier.trunk.modules():
            if isinstance(part, nn.BatchNorm3d):
                part.reset_running_stats()
    return classifier.to(game.device)
