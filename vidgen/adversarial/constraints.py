"""What keeps a Wasserstein critic Lipschitz: weight clipping and singular value clipping.

Singular value clipping is section 4 of "Temporal Generative Adversarial Nets with Singular Value
Clipping" (Saito, Matsumoto & Saito, 2017): every few iterations (Algorithm 1) each layer of the
critic is brought back to a Lipschitz constant of at most 1 (Table 2):

    linear, convolution    W = U diag(s) V^T, reshaped to (out, in * kernel):  s <- min(s, 1)
    batch normalization    gamma (x - mean) / sqrt(var + eps) + beta:  0 < gamma <= sqrt(var + eps)
    leaky ReLU             slopes are at most 1 as they are

Weight clipping is Algorithm 1 of "Wasserstein GAN" (Arjovsky, Chintala & Bottou, 2017).

Where this differs from the paper: the singular values are clipped without decomposing the weight
(`spectra`), with the same result. As in the paper it is the reshaped matrix that is bounded; the
convolution itself, whose windows overlap, may stretch its input more (`convolution_norm`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidgen.adversarial.spectra import as_matrix, clip_weight_

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@torch.no_grad()
def clip_weights_(module: nn.Module, limit: float = 0.01) -> None:
    """Clamp every parameter, biases and normalization scales included (WGAN, Algorithm 1).

    Args:
        module: The critic.
        limit: Parameters end in [-limit, limit].

    Raises:
        ValueError: The limit is not above 0.
    """
    _check_positive("limit", limit)
    for parameter in module.parameters():
        parameter.clamp_(-limit, limit)


@torch.no_grad()
def clip_singular_values_(
    module_or_parameters: nn.Module | Tensor | Iterable[Tensor], maximum: float = 1.0
) -> None:
    """Clip the singular values of weights at a maximum (TGAN, section 4 and Table 2).

    A weight whose singular values are all inside is left as it is, bit for bit. Biases and
    whatever else has fewer than two axes are not touched.

    Args:
        module_or_parameters: The critic, whose linear and convolution weights are clipped; or
            weights, output axis first.
        maximum: The largest singular value allowed.

    Raises:
        ValueError: The maximum is not above 0; or a weight is not finite (it is left as it is),
            belongs to a transposed convolution, or is recomputed at each use.
    """
    _check_positive("maximum", maximum)
    for name, weight in _named_weights(module_or_parameters):
        # Mixed precision would round the products that decide what exceeds the maximum.
        with torch.autocast(weight.device.type, enabled=False):
            try:
                clip_weight_(weight, maximum)
            except FloatingPointError as error:
                raise ValueError(
                    f"{name} cannot be clipped: {error}. If the training has diverged, go back "
                    "to a checkpoint and lower the learning rate."
                ) from None


@torch.no_grad()
def clip_norm_scales_(module: nn.Module, floor: float = 0.01) -> None:
    """Bring batch normalization's scales into [floor * std, sqrt(var + eps)] (TGAN, Table 2).

    The paper asks for scales above 0 only; the floor is that of the authors' code, whose upper
    bound lacks eps. A layer that no batch has passed in training keeps its scales.

    Args:
        module: The critic.
        floor: Lower bound, in running standard deviations, from 0 to 1.

    Raises:
        ValueError: The floor is not from 0 to 1.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor is {floor}; give a number from 0 to 1.")
    for layer in module.modules():
        if not isinstance(layer, _BatchNorm) or layer.weight is None:
            continue
        # A layer without running statistics has neither of the two.
        if layer.running_var is None or not layer.num_batches_tracked:
            continue
        lowest = floor * layer.running_var.sqrt()
        layer.weight.clamp_(lowest, (layer.running_var + layer.eps).sqrt())


def singular_values(weight: Float[Tensor, "out ..."]) -> Float[Tensor, " rank"]:
    """Singular values of a weight as TGAN reshapes it, (out, in * kernel), largest first.

    They come from a full decomposition in float64: slow, for diagnostics and tests.
    """
    return torch.linalg.svdvals(as_matrix(weight.detach()).double())


@torch.enable_grad()
def convolution_norm(
    conv: nn.Conv1d | nn.Conv2d | nn.Conv3d, input_shape: Sequence[int], iterations: int = 50
) -> float:
    """How much a convolution can stretch an input of a given shape: its true operator norm.

    Power iteration, which comes from below. With kernel 4 and stride 2 each input is read by 2
    windows an axis, so that a Conv3d whose reshaped weight is clipped at 1 may reach sqrt(8).

    Args:
        conv: The layer; its bias plays no part.
        input_shape: Channels, then the lengths of the other axes.
        iterations: Applications of the convolution and of its transpose.
    """
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(1, *input_shape, generator=generator).to(conv.weight.detach())
    bias = conv(torch.zeros_like(vector)).detach()
    norm = 0.0
    for _ in range(iterations):
        vector = (vector / vector.norm()).requires_grad_()
        output = conv(vector)
        stretched = output.detach() - bias
        norm = float(stretched.norm())
        if norm == 0:
            break
        # The gradient of <conv(x), y> is the transposed convolution of y, whatever the stride.
        (vector,) = torch.autograd.grad(output, vector, grad_outputs=stretched)
    return norm


def _named_weights(source: nn.Module | Tensor | Iterable[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The weights to clip, each once, with names for error messages."""
    if isinstance(source, nn.Module):
        named = _weights_of(source)
    elif isinstance(source, Tensor):
        named = [("The weight", source)]
    else:
        named = ((f"Weight {number}", weight) for number, weight in enumerate(source))
    seen: set[int] = set()
    for name, weight in named:
        if weight.ndim >= 2 and weight.numel() > 0 and id(weight) not in seen:
            seen.add(id(weight))
            yield name, weight


def _weights_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, layer in module.named_modules():
        if isinstance(layer, TRANSPOSED):
            raise ValueError(
                f"Layer {name!r} is a transposed convolution, whose weight has its input axis "
                "first; singular value clipping is for critics, which have none."
            )
        if not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            continue
        if not isinstance(layer.weight, nn.Parameter):
            raise ValueError(
                f"The weight of layer {name!r} is recomputed at each use (spectral or weight "
                "normalization), so it cannot be clipped; use one or the other."
            )
        yield f"The weight of layer {name!r}", layer.weight


def _check_positive(name: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}; give a number above 0.")
