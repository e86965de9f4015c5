"""Shapes that a 3D-VAE-GAN makes of views it did not see, beside two floors.

    python benchmarks/voxel_reconstruction.py RUN SHAPES VIEWS --up y

SHAPES are the shapes of the training, VIEWS other films of them (`python -m voxel render` with
other elevations and another seed). Two tables: known objects are the training split's, whose views
here are new; new objects are the test split's. Each has three rows:

    model         the volume that the mean latent of a view becomes
    class mean    the mean of the training volumes of its class, which the model is not told
    other image   the model's volume of a view of an object of another class

Columns are average precision (AP) and IoU at the threshold 0.5, at the model's size and at 20³,
where the article scores (§4.3); "aligned" is the best of 6,000 alignments, which lifts any
predictor. Each number is the mean of an object's views, then of a class's objects, then of the
classes. "Better" is the share of objects whose AP is above the class mean's. `--picture` draws some
known objects: a view and the model's shape, and below it the same view and the true shape.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.shape_views import ShapeViews
from data.sources import DataError
from vidgen.adversarial.checkpoints import load_game
from vidgen.errors import UserError
from voxel import VoxelVAEGAN
from voxel.meshes import EmptyShape, shape_mesh
from voxel.metrics import (
    aligned_scores,
    average_precision,
    average_precision_grid,
    intersection_over_union,
)
from voxel.pictures import SIZE, write_contact_sheet

ROWS = ("model", "class mean", "other image")
COLUMNS = ("AP", "IoU", "AP 20³", "AP 20³ aligned", "IoU 20³", "IoU 20³ aligned")
_DRAWN = 4
Volume = Float[np.ndarray, "depth height width"]


class Prediction(NamedTuple):
    """A row's volume for one view of one object.

    Attributes:
        row: Which predictor.
        item: Number of the object.
        scores: Probabilities.
    """

    row: str
    item: int
    scores: Volume


def scored(scores: Volume, truth: Volume, align: bool) -> list[float]:
    """A number for each column; those at 20³ only if `align`, which costs seconds.

    Raises:
        ValueError: The truth is empty.
    """
    solid = truth >= 0.5
    found = [average_precision(scores, solid), intersection_over_union(scores >= 0.5, solid)]
    if align:
        coarse = average_precision_grid(truth, truth=True) >= 0.5
        best = aligned_scores(average_precision_grid(scores, truth=False), coarse)
        found += [best.average_precision, best.aligned_average_precision]
        found += [best.iou, best.aligned_iou]
    return found


def class_means(volumes: list[Volume], labels: list[int]) -> dict[int, Volume]:
    """The mean volume of each class."""
    of_class = defaultdict(list)
    for volume, label in zip(volumes, labels, strict=True):
        of_class[label].append(volume)
    return {label: np.mean(members, axis=0) for label, members in of_class.items()}


def mean_of_classes(each: dict[int, list[float]], labels: list[int]) -> list[float]:
    """Column means of the objects of a class, then of the classes."""
    of_class = defaultdict(list)
    for item, found in each.items():
        of_class[labels[item]].append(found)
    return np.mean([np.mean(rows, axis=0) for rows in of_class.values()], axis=0).tolist()


def another_class(item: int, labels: list[int], random: np.random.Generator) -> int:
    """Number of an object of another class."""
    others = [other for other, label in enumerate(labels) if label != labels[item]]
    return int(random.choice(others))


def truths(views: ShapeViews) -> list[Volume]:
    """The volume of each item, as occupancy."""
    random = np.random.default_rng(0)
    return [views.draw(item, random).clip[0] / np.float32(255) for item in range(len(views))]


@torch.no_grad()
def made(game: VoxelVAEGAN, views: ShapeViews, item: int, numbers: list[int]) -> list[Volume]:
    """The model's volumes of views of an object."""
    pixels = np.stack([views.view(item, number) for number in numbers])
    images = torch.from_numpy(pixels).float() / 127.5 - 1
    return list(game.reconstruct(images)[:, 0].numpy(force=True))


def predictions(
    game: VoxelVAEGAN, views: ShapeViews, means: dict[int, Volume], numbers: list[int]
) -> Iterator[Prediction]:
    """All rows for all objects and the views of these numbers."""
    random = np.random.default_rng(0)
    for item, label in enumerate(views.labels):
        yield Prediction("class mean", item, means[label])
        other = another_class(item, views.labels, random)
        for row, shown in (("model", item), ("other image", other)):
            volumes = made(game, views, shown, numbers)
            yield from (Prediction(row, item, volume) for volume in volumes)


def draw(
    path: Path, game: VoxelVAEGAN, views: ShapeViews, volumes: list[Volume], number: int
) -> None:
    """Writes a PNG of objects spread over the classes; those that become nothing are left out.

    Raises:
        UserError: All become nothing, or the file cannot be written.
    """
    meshes, shown = [], []
    for item in np.linspace(0, len(views) - 1, _DRAWN).round().astype(int).tolist():
        try:
            meshes.append(shape_mesh(made(game, views, item, [number])[0]))
        except EmptyShape:
            continue
        meshes.append(shape_mesh(volumes[item]))
        image = Image.fromarray(views.view(item, number).transpose(1, 2, 0))
        shown += 2 * [np.asarray(image.resize((SIZE, SIZE))).transpose(2, 0, 1)]
    if not meshes:
        raise UserError("every shape is empty: train for longer")
    write_contact_sheet(path, meshes, shown)


def table(
    found: Iterator[Prediction], volumes: list[Volume], labels: list[int], align: bool
) -> tuple[dict[str, list[float]], float]:
    """Means of each row and column, and the share of objects that are better than the class mean.

    Args:
        found: Predictions of all rows.
        volumes: Truth of each item.
        labels: Class of each item.
        align: Score at 20³ too.
    """
    every: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for row, item, scores in found:
        every[row][item].append(scored(scores, volumes[item], align))
    each = {
        row: {item: np.mean(views, axis=0).tolist() for item, views in items.items()}
        for row, items in every.items()
    }
    better = fmean(each["model"][item][0] > each["class mean"][item][0] for item in each["model"])
    return {row: mean_of_classes(items, labels) for row, items in each.items()}, better


def report(settings: argparse.Namespace) -> None:
    """Prints both tables.

    Raises:
        UserError: The run cannot be used so.
        DataError: The shapes or views cannot be used so.
    """
    loaded = load_game(settings.run, settings.checkpoint)
    game = loaded.game
    if not isinstance(game, VoxelVAEGAN) or game.num_classes:
        raise UserError(f"{settings.run}: give a run of VoxelVAEGAN that is not told the class")
    train, test = (
        ShapeViews(
            settings.shapes,
            game.example_shape[-1],
            game.encoder.image_size,
            settings.films,
            split=split,
            up=settings.up,
            scan_cache=settings.run / f"reconstruction_{split}" / "scan.json",
        )
        for split in ("train", "test")
    )
    known = truths(train)
    means = class_means(known, train.labels)
    if settings.picture is not None:
        draw(settings.picture, game, train, known, settings.numbers[0])
    print(f"{settings.run} at step {loaded.step}, views number {settings.numbers} of each object")
    for title, views, align in (("known", train, settings.align_known), ("new", test, True)):
        started = time.process_time()
        volumes = known if views is train else truths(views)
        found = predictions(game, views, means, settings.numbers)
        rows, better = table(found, volumes, views.labels, align)
        print(f"\n{len(views)} {title} objects in {len(views.classes)} classes")
        for row in ROWS:
            cells = zip(COLUMNS, rows[row], strict=False)
            print(f"{row:12}", *(f"  {name} {value:.3f}" for name, value in cells))
        print(
            f"better than the class mean: {better:.1%}; {time.process_time() - started:.0f} s CPU"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Scores a 3D-VAE-GAN's shapes of new views.")
    parser.add_argument("run", type=Path, nargs="?", help="Folder of a training of 3D-VAE-GAN.")
    parser.add_argument("shapes", type=Path, nargs="?", help="Folder of shapes, with splits.")
    parser.add_argument("films", type=Path, nargs="?", help="Folder of views not trained on.")
    parser.add_argument("--up", choices=("x", "y", "z"), help="Axis that points up in the files.")
    parser.add_argument("--checkpoint", default="latest", help="Which one of the run.")
    parser.add_argument(
        "--numbers", type=int, nargs="+", default=[1, 9, 17], help="Views of each object."
    )
    parser.add_argument(
        "--align_known", action="store_true", help="Score known objects at 20³ too; minutes."
    )
    parser.add_argument("--picture", type=Path, help="PNG of some known objects.")
    chosen = parser.parse_args()
    if chosen.films is None:  # as `make bench` calls it
        print("nothing to score: give a run, its shapes, and views that it was not trained on")
        sys.exit()
    try:
        report(chosen)
    except (UserError, DataError) as error:
        sys.exit(f"error: {error}")
