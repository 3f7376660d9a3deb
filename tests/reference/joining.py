"""Joining tracks step by step: every pair of tracks is tried, and the best looked up again for every link."""

from itertools import pairwise
from math import sqrt

from reference.seqbbox import plain_iou


def slope(track):
    """Return by how much the centre of (frame, box, label) moves a frame: the slopes of two lines."""
    mean = sum(frame for frame, _, _ in track) / len(track)
    spread = sum((frame - mean) ** 2 for frame, _, _ in track)
    return [
        sum((frame - mean) * (box[axis] + box[axis + 2]) / 2 for frame, box, _ in track) / spread
        for axis in (0, 1)
    ]


def moved(box, velocity, frames):
    return [side + frames * velocity[number % 2] for number, side in enumerate(box)]


def size(box):
    return sqrt((box[2] - box[0]) * (box[3] - box[1]))


def worth(one, other, max_gap, min_iou, cuts=()):
    """Return how well a track, a list of (frame, box, label), goes on as another; None where it does not."""
    (end, last, end_label), (begin, first, begin_label) = one[-1], other[0]
    gap = begin - end
    if not 1 <= gap <= max_gap or end_label != begin_label or min(len(one), len(other)) < 3:
        return None
    if any(end < cut <= begin for cut in cuts):
        return None
    if min(size(last), size(first)) < 0.6 * max(size(last), size(first)):
        return None
    forward, backward = slope(one[-8:]), slope(other[:8])
    overlap = min(plain_iou(moved(last, forward, gap), first), plain_iou(last, moved(first, backward, -gap)))
    return overlap - 0.004 * gap if overlap >= min_iou and overlap > 0 else None


def join(tracks, max_gap, min_iou, cuts=()):
    """Join tracks, {id: list of (frame, box, label)}; return {id: id of the first of its chain}."""
    root = {number: number for number in tracks}
    tracks = dict(tracks)
    while True:
        worths = {
            (a, b): value
            for a in tracks
            for b in tracks
            if a != b and (value := worth(tracks[a], tracks[b], max_gap, min_iou, cuts)) is not None
        }
        following = {}
        while worths:
            a, b = max(worths, key=lambda pair: worths[pair])
            following[a] = b
            worths = {pair: value for pair, value in worths.items() if pair[0] != a and pair[1] != b}
        if not following:
            return root
        for number in set(tracks) - set(following.values()):
            chain = [number]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            for before, after in pairwise(chain):
                assert tracks[before][-1][0] < tracks[after][0][0]
            tracks[number] = [item for link in chain for item in tracks[link]]
            for link in chain[1:]:
                del tracks[link]
            root = {key: number if value in chain else value for key, value in root.items()}
