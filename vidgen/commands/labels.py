"""What --label names: a class of all frames, or several that take turns within a clip."""

from __future__ import annotations

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.errors import UserError
from vidgen.mocogan_generator import category_schedule


def label_number(loaded: LoadedGame, label: str | None) -> int | None:
    """The number of the class that a name or a number names.

    Raises:
        UserError: There is no such class, or the model knows no classes.
    """
    return None if label is None else _number(loaded, label)


def clip_label(
    loaded: LoadedGame, label: str | None, change_every: int | None, num_frames: int | None
) -> int | list[int] | None:
    """What a game's `labels` hold for one clip: a class, or one a frame.

    Args:
        loaded: The model.
        label: One name or number; with `change_every` several, with commas between, and `None`
            stands for all.
        change_every: Frames before the next of them, round and round; `None` keeps one.
        num_frames: Length of the clip; `None` is the trained one.

    Raises:
        UserError: There are no such classes, or they cannot change so.
    """
    if change_every is None:
        parts = _parts(loaded, label)
        if len(parts) > 1:
            raise UserError(
                f"--label {label} names {len(parts)} classes; say after how many frames the next "
                "one comes, for instance --change_every 8"
            )
        return label_number(loaded, label)
    count = getattr(loaded.game, "num_categories", 0)
    if not count:
        raise UserError(
            f"--change_every {change_every}: this {type(loaded.game).__name__} has no category a "
            "frame; a MoCoGAN trained with game.num_classes has"
        )
    numbers = (
        list(range(count)) if label is None else [_number(loaded, p) for p in _parts(loaded, label)]
    )
    if len(numbers) < 2:
        raise UserError(
            f"--change_every {change_every} needs several classes to change among, such as --label "
            "0,1; leave it out to keep one"
        )
    length = loaded.game.example_shape[1] if num_frames is None else num_frames
    return category_schedule(numbers, change_every, length)


def _number(loaded: LoadedGame, label: str) -> int:
    # InfoGAN's game counts categories that it found itself; it knows no classes of the data.
    count = getattr(loaded.game, "num_categories", loaded.game.num_classes)
    if not count:
        raise UserError(f"--label {label}: this model was trained without classes; leave it out")
    names = _names(loaded)
    if label in names:
        return names.index(label)
    if label.isdecimal() and len(label) < 10 and int(label) < count:
        return int(label)
    listed = f": {', '.join(names)}" if names else ""
    raise UserError(f"--label {label}: the classes are 0 to {count - 1}{listed}")


def _names(loaded: LoadedGame) -> list[str]:
    """Names of the classes; the data's are not those of categories found without labels."""
    return loaded.classes if loaded.game.num_classes else []


def _parts(loaded: LoadedGame, label: str | None) -> list[str]:
    if label is None:
        return []
    return [label] if label in _names(loaded) else [part.strip() for part in label.split(",")]
