"""Which gradients a step of autograd is asked for, for operations with a gradient of their own."""

from __future__ import annotations

from typing import Any

import torch


def is_wanted(context: Any, index: int) -> bool:
    """Whether a backward now running leads on through an input of an autograd `Function`.

    `needs_input_grad` is true for every weight that learns, also where, as in a gradient penalty,
    only the gradient of the images is asked for; torch's own operations know the difference.

    Args:
        context: Of the `Function`, whose tensors are its first inputs.
        index: Of the input.
    """
    if not context.needs_input_grad[index]:
        return False
    try:
        return torch._C._will_engine_execute_node(context.next_functions[index][0])
    except RuntimeError:  # cannot tell for a leaf whose gradient is itself what was asked for
        return True
