"""A moving camera made to stand still, after "Generating Videos with Scene Dynamics" (NIPS 2016).

Vondrick, Pirsiavash and Torralba follow key points from frame to frame, chain the views and draw
every frame as the first one's camera would have seen it:

    key points (SIFT) -> matches -> view of the frame before (RANSAC) -> chained to the first frame
    -> frame warped -> what it does not show is taken from the stabilized frame before

Where this differs from the authors' code (which differs from the paper in using homographies where
that speaks of rotation, translation and scale; both are offered):
- Nearest neighbors are exact, not those of a randomized tree: equal files give equal results.
- `min_inliers` counts the matches that agree on the view, not all of them, and a view that turns
  the frame over is a failure: with few key points a homography is often nonsense.
- "Clips with a large re-projection error are dropped", says the paper, and the code has no such
  rule. Here a piece is dropped if its chain has drifted away from a direct match (`max_drift`).
- Frames keep their size; scaling and cropping are the training's affair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from data.sources import DataError

Model = Literal["homography", "similarity"]
Frame = UInt8[np.ndarray, "height width 3"]
# Maps (column, row, 1), up to a factor; pixel centers lie at whole numbers.
View = Float64[np.ndarray, "3 3"]
Places = Float32[np.ndarray, "point 2"]

# A match counts if its neighbor is this much closer than the second nearest.
_RATIO = 0.7
# Side of the box by which what is seen shrinks: at its rim, pixels are mixed with nothing.
_RIM = 5
# Of 255: how much of a pixel must be seen; views are not known finely enough to ask for all.
_COVERED = 250


@dataclass(frozen=True)
class Stabilization:
    """How a video is stabilized, and what is good enough to keep.

    The defaults are the authors'; `max_drift` is ours.

    Args:
        model: What the camera may do from one frame to the next: `similarity` (shift, rotation and
            scale) needs fewer key points than `homography` (any view of a plane).
        max_error: Pixels by which a match may miss the view and still agree with it.
        min_inliers: Matches that must agree on the view.
        max_drift: Share of a frame's diagonal by which the chained view of a piece's last frame may
            miss that frame as matched with the first; `inf` accepts any.
        max_unseen: Share of a frame, above 0 and up to 1, at which a piece ends because that much
            of it is not seen; 1 ends it when nothing is.
        min_frames: Shortest piece that is kept.
        max_frames: Longest piece; the next one begins after it.
        skip_frames: Frames left out at the start of a file.

    Raises:
        DataError: A number is out of its range.
    """

    model: Model = "homography"
    max_error: float = 5.0
    min_inliers: int = 10
    max_drift: float = 0.05
    max_unseen: float = 1.0
    min_frames: int = 16
    max_frames: int = 33
    skip_frames: int = 2

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            raise DataError(f"model is {self.model!r}: choose homography or similarity")
        for name, is_right, wanted in (
            ("max_error", 0 < self.max_error < math.inf, "pixels above 0"),
            ("min_inliers", self.min_inliers >= 4, "4 or more"),
            ("max_drift", self.max_drift > 0, "a share above 0, or inf"),
            ("max_unseen", 0 < self.max_unseen <= 1, "a share above 0, up to 1"),
            ("min_frames", self.min_frames >= 1, "1 or more"),
            ("max_frames", self.max_frames >= self.min_frames, "min_frames or more"),
            ("skip_frames", self.skip_frames >= 0, "0 or more"),
        ):
            if not is_right:
                raise DataError(f"{name} is {getattr(self, name)}: give {wanted}")


class LostView(Exception):
    """The view of a frame cannot be told; the text says why."""


@dataclass(frozen=True)
class KeyPoints:
    """What is recognized of a frame: places in pixels (column, row), and SIFT's descriptors."""

    places: Places
    descriptors: Float32[np.ndarray, "point 128"]


@dataclass(frozen=True)
class Step:
    """From one frame to another.

    Attributes:
        view: Takes the first frame's places to the second's.
        num_inliers: Matches that agree with it.
        error: Pixels by which those miss it, on average.
    """

    view: View
    num_inliers: int
    error: float


def key_points(frame: Frame) -> KeyPoints:
    """SIFT's key points of a frame at its full size, with the library's settings."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    points, descriptors = cv2.SIFT.create().detectAndCompute(grey, None)
    if descriptors is None:
        descriptors = np.empty((0, 128), np.float32)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return KeyPoints(places, descriptors)


def matched(moving: KeyPoints, still: KeyPoints) -> tuple[Places, Places]:
    """Places of the points that two frames have in common; Lowe's ratio test drops doubtful ones.

    Raises:
        LostView: A frame has less than two key points.
    """
    fewest = min(len(moving.places), len(still.places))
    if fewest < 2:
        raise LostView(f"{fewest} key points are nothing to follow")
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(moving.descriptors, still.descriptors, k=2)
    good = [near for near, second in pairs if near.distance < _RATIO * second.distance]
    return (
        moving.places[[match.queryIdx for match in good]],
        still.places[[match.trainIdx for match in good]],
    )


def step_between(moving: KeyPoints, still: KeyPoints, settings: Stabilization) -> Step:
    """Where the key points of one frame lie in another, by RANSAC.

    Args:
        moving: Of the frame that is to be brought into the other's view.
        still: Of the other frame.
        settings: The kind of view, and what agrees with it.

    Raises:
        LostView: Too few matches agree on any view.
    """
    sources, targets = matched(moving, still)
    if len(sources) < settings.min_inliers:
        raise LostView(f"{len(sources)} matches, fewer than min_inliers {settings.min_inliers}")
    view, inliers = _fitted(sources, targets, settings)
    if view is None or np.count_nonzero(inliers) < settings.min_inliers:
        raise LostView(
            f"{np.count_nonzero(inliers)} of {len(sources)} matches agree on a view,"
            f" fewer than min_inliers {settings.min_inliers}"
        )
    missed = np.linalg.norm(moved(view, sources) - targets, axis=1)[inliers]
    return Step(view, len(missed), float(missed.mean()))


def _fitted(
    sources: Places, targets: Places, settings: Stabilization
) -> tuple[View | None, Bool[np.ndarray, " point"]]:
    if settings.model == "similarity":
        rows, inliers = cv2.estimateAffinePartial2D(
            sources, targets, method=cv2.RANSAC, ransacReprojThreshold=settings.max_error
        )
        view = None if rows is None else np.vstack([rows, [0.0, 0.0, 1.0]])
    else:
        view, inliers = cv2.findHomography(sources, targets, cv2.RANSAC, settings.max_error)
    if view is None:
        return None, np.zeros(len(sources), bool)
    return np.asarray(view, np.float64), inliers[:, 0].astype(bool)


def moved(view: View, places: Places) -> Float64[np.ndarray, "point 2"]:
    """Places as another frame's camera sees them."""
    seen = np.column_stack([places, np.ones(len(places))]) @ view.T
    return seen[:, :2] / seen[:, 2:]


def corners(height: int, width: int) -> Places:
    """Places of a frame's corner pixels."""
    right, bottom = width - 1, height - 1
    return np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)


def is_upright(view: View, height: int, width: int) -> bool:
    """Whether a view shows the whole frame from the front: no corner behind, nothing mirrored."""
    if not np.isfinite(view).all():
        return False
    depths = np.column_stack([corners(height, width), np.ones(4)]) @ view[2]
    return bool((depths > 0).all() and np.linalg.det(view) > 0)


def warped(frame: Frame, view: View) -> tuple[Frame, Bool[np.ndarray, "height width"]]:
    """A frame as the first frame's camera would have shown it, and which pixels of it are seen.

    Args:
        frame: The frame.
        view: Takes its places to the first frame's.
    """
    size = (frame.shape[1], frame.shape[0])
    white = np.full(frame.shape[:2], 255, np.uint8)
    seen = cv2.erode(cv2.warpPerspective(white, view, size), np.ones((_RIM, _RIM), np.uint8))
    # Not just above 0: no pixel beyond the frame's own edge tells that one there is half black.
    return cv2.warpPerspective(frame, view, size), seen >= _COVERED


class Piece:
    """One run of frames whose views are chained to that of its first frame.

    Args:
        first: The first frame, which stays as it is.
        settings: How to stabilize, and when to end.

    Attributes:
        num_frames: Frames so far.
        failure: Why the track was lost, or "".
        error: Pixels by which matches missed their view, on average; the worst of the steps.
        unseen: Share of a frame that had to be taken from the frames before; the worst.
    """

    def __init__(self, first: Frame, settings: Stabilization) -> None:
        self.num_frames = 1
        self.failure = ""
        self.error = 0.0
        self.unseen = 0.0
        self._settings = settings
        self._view = np.eye(3)
        self._shown = first
        self._first_points = self._points = key_points(first)

    def add(self, frame: Frame) -> Frame | None:
        """The next frame stabilized, or `None` where the piece has ended before it."""
        if self.num_frames >= self._settings.max_frames:
            return None
        points = key_points(frame)
        try:
            step = step_between(points, self._points, self._settings)
            view = self._chained(step.view, frame)
        except LostView as lost:
            self.failure = str(lost)
            return None
        picture, seen = warped(frame, view)
        unseen = 1 - float(seen.mean())
        if unseen >= self._settings.max_unseen:
            return None
        self._view, self._points = view, points
        self._shown = np.where(seen[..., None], picture, self._shown)
        self.num_frames += 1
        self.error, self.unseen = max(self.error, step.error), max(self.unseen, unseen)
        return self._shown

    def _chained(self, step: View, frame: Frame) -> View:
        # On the right what is done first: from this frame to the last one, then to the first.
        view = self._view @ step
        view = view / view[2, 2]
        if not is_upright(view, frame.shape[0], frame.shape[1]):
            raise LostView("the view found turns the frame over")
        return view

    def verdict(self) -> str:
        """Why the piece is not to be kept, or ""."""
        if self.failure:
            return self.failure
        if self.num_frames < self._settings.min_frames:
            return f"{self.num_frames} frames, fewer than min_frames {self._settings.min_frames}"
        drift = self.drift()
        allowed = self._settings.max_drift * math.hypot(*self._shown.shape[:2])
        if drift is not None and drift > allowed:
            return f"drifted by {drift:.1f} pixels, more than {allowed:.1f} (max_drift)"
        return ""

    def drift(self) -> float | None:
        """Pixels by which the chain misses the last frame's view as matched with the first.

        The mean over the corners; `None` where the two have too little in common.
        """
        try:
            direct = step_between(self._points, self._first_points, self._settings).view
        except LostView:
            return None
        height, width = self._shown.shape[:2]
        if not is_upright(direct, height, width):
            return None
        places = corners(height, width)
        missed = moved(self._view, places) - moved(direct, places)
        return float(np.linalg.norm(missed, axis=1).mean())
