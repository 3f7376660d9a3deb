"""Seq-Bbox Matching step by step: whole matrices of distances, the smallest looked up again for every match."""

from itertools import pairwise
from math import inf

INFINITE = inf


def plain_iou(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    area_a = max(a[2] - a[0], 0.0) * max(a[3] - a[1], 0.0)
    area_b = max(b[2] - b[0], 0.0) * max(b[3] - b[1], 0.0)
    union = area_a + area_b - width * height
    return width * height / union if union > 0 else 0.0


def distance(a, b, min_iou):
    """Return the distance of two (box, score, label), negated inverse so that no rounding makes ties."""
    overlap = plain_iou(a[0], b[0])
    nearness = overlap * (a[1] * b[1]) if a[2] == b[2] else 0.0
    return -nearness if overlap >= min_iou and nearness > 0 else INFINITE


def match_smallest(distances):
    """Match by the smallest distance of a matrix {(i, j): distance}, then without its row and column."""
    left, matches = dict(distances), []
    while left and min(left.values()) < INFINITE:
        i, j = min(left, key=lambda pair: (left[pair], pair))
        matches.append((i, j))
        left = {pair: value for pair, value in left.items() if pair[0] != i and pair[1] != j}
    return matches


def match_frames(first, second, min_iou):
    """Match two frames, lists of (box, score, label)."""
    return match_smallest(
        {(i, j): distance(a, b, min_iou) for i, a in enumerate(first) for j, b in enumerate(second)}
    )


def online(video, min_iou):
    """Return the new scores of a video, lists of (box, score, label), in the order of the input."""
    tubelets, new = [], []
    for t, frame in enumerate(video):
        matched = {j: i for i, j in match_frames(video[t - 1], frame, min_iou)} if t else {}
        tubelets = [[*(tubelets[matched[j]] if j in matched else []), item[1]] for j, item in enumerate(frame)]
        new.append([sum(scores) / len(scores) for scores in tubelets])
    return new


def offline(video, min_iou, max_gap):
    """Return the (box, score, label) of each frame: those of the input in order, then those that were missed."""
    tubelets, last = [], []  # a tubelet is a list of (frame, index)
    for t, frame in enumerate(video):
        matched = {j: i for i, j in match_frames(video[t - 1], frame, min_iou)} if t else {}
        now = []
        for j in range(len(frame)):
            tubelet = last[matched[j]] if j in matched else []
            if not tubelet:
                tubelets.append(tubelet)
            tubelet.append((t, j))
            now.append(tubelet)
        last = now

    def item(place):
        return video[place[0]][place[1]]

    def mean(tubelet):
        return sum(item(place)[1] for place in tubelet) / len(tubelet)

    distances = {}
    for i, a in enumerate(tubelets):
        for j, b in enumerate(tubelets):
            if 1 < b[0][0] - a[-1][0] <= max_gap + 1:
                (box_a, _, label_a), (box_b, _, label_b) = item(a[-1]), item(b[0])
                distances[i, j] = distance((box_a, mean(a), label_a), (box_b, mean(b), label_b), min_iou)
    following = dict(match_smallest(distances))
    result = [list(frame) for frame in video]
    missed = [[] for _ in video]
    for i in set(range(len(tubelets))) - set(following.values()):
        chain = [i]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        score = mean([place for k in chain for place in tubelets[k]])
        for t, j in (place for k in chain for place in tubelets[k]):
            box, _, label = video[t][j]
            result[t][j] = (box, score, label)
        for k, following_k in pairwise(chain):
            (box_a, _, label), (box_b, _, _) = item(tubelets[k][-1]), item(tubelets[following_k][0])
            first, end = tubelets[k][-1][0], tubelets[following_k][0][0]
            for t in range(first + 1, end):
                share = (t - first) / (end - first)
                box = [a + share * (b - a) for a, b in zip(box_a, box_b, strict=True)]
                missed[t].append((box, score, label))
    return result, missed
