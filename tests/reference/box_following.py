"""Propagation of boxes by loops over objects and boxes, in the paper's form and the adaptive one."""

import numpy as np

from reference.adaptation import LoopingFollower, mixed, rounded
from reference.boxes import iou, nms

CELLS, REACH = 128, 0.3


class LoopingBoxFollower(LoopingFollower):
    """Boxes of a frame are dicts, best first, of what the detector says and what is made of it."""

    def update(self, boxes, scores, labels, image_size):
        """Return the detections of the next frame as a list of dicts; ids are left out."""
        config, self.cell = self.config, max(image_size) / CELLS
        area = (0.0, 0.0, image_size[1] / self.cell, image_size[0] / self.cell)
        seen = [self.site(box, score, label) for box, score, label in zip(boxes, scores, labels, strict=True)]
        seen.sort(key=lambda site: -site["score"])  # stable
        chosen = self.paper_claims(seen) if config.adaptation is None else self.adaptive_claims(seen)
        if config.adaptation is None or config.adaptation.max_length > 0:
            for carried in self.objects:
                if carried["score"] > 0 and all(one is not carried for one in chosen.values()):
                    x, y = expected(carried)
                    if 0 <= x < area[2] and 0 <= y < area[3]:
                        chosen[len(seen)] = carried
                        seen.append(self.vacancy(carried))

        found = []
        for place, site in enumerate(seen):
            network, carried = site["score"], chosen.get(place)
            new = {**site, "length": 1, "own": network, "best": network, "velocity": (0.0, 0.0)}
            if carried is not None:
                trust = 0 if config.adaptation is None else config.adaptation.trust
                new["score"] = rounded(self.balanced(network, carried, area))
                new["size"] = mixed(network, site["size"], carried["score"], carried["size"], trust)
                new["length"] = carried["length"] + 1
            new["box"] = self.grown(site, new["size"])
            if config.adaptation is not None:
                self.learn(new, carried)
            if new["score"] >= np.float32(config.score_threshold):
                found.append(new)
        found.sort(key=lambda new: (-new["score"], new["length"] == 1))  # stable
        found = found[: config.max_detections]
        kept = nms(
            np.array([new["box"] for new in found]).reshape(-1, 4), [new["label"] for new in found], config.nms_iou
        )
        self.objects = [found[i] for i in kept]
        return self.objects

    def site(self, box, score, label):
        box = np.asarray(box, np.float32)
        x1, y1, x2, y2 = (float(side) for side in box)
        return {
            "given": box,
            "score": rounded(score),
            "label": label,
            "centre": ((x1 + x2) / (2 * self.cell), (y1 + y2) / (2 * self.cell)),
            "size": np.array([(x2 - x1) / self.cell, (y2 - y1) / self.cell]).astype(np.float32).astype(np.float64),
        }

    def vacancy(self, carried):
        x, y = expected(carried)
        width, height = carried["size"] / 2
        box = np.array([x - width, y - height, x + width, y + height]) * self.cell
        return {
            "given": box.astype(np.float32),
            "score": 0.0,
            "label": carried["label"],
            "centre": (x, y),
            "size": carried["size"],
        }

    def grown(self, site, size):
        more = (size - site["size"]).astype(np.float32) * np.float32(self.cell / 2)
        return site["given"] + np.concatenate([-more, more])

    def paper_claims(self, seen):
        """Each box is boosted by the best of the objects that it overlaps."""
        chosen = {}
        for place, site in enumerate(seen):
            for carried in self.objects:
                if carried["score"] > 0 and site["label"] == carried["label"] and overlap(site, carried) >= REACH:
                    chosen.setdefault(place, carried)  # they come by falling score
        return chosen

    def adaptive_claims(self, seen):
        """Each object has one box at most."""
        settings, threshold, chosen = self.config.adaptation, np.float32(self.config.score_threshold), {}
        if settings.max_length == 0:
            return {}
        for carried in self.objects:
            may_be = [
                place
                for place, site in enumerate(seen)
                if site["label"] == carried["label"]
                and carried["score"] > 0
                and place not in chosen
                and overlap(site, carried) >= REACH
                and (site["score"] < threshold or overlap(site, carried) >= settings.min_iou)
            ]
            if may_be:
                chosen[min(may_be, key=lambda place: self.preference(place, seen[place], carried))] = carried
        return chosen

    def preference(self, place, site, carried):
        distance = 100.0 * (1.0 - overlap(site, carried))
        return -(site["score"] - self.config.adaptation.nearness * carried["score"] * distance), distance, place

    def balanced(self, network, carried, area):
        if self.config.adaptation is not None:
            return self.balance(network, carried, area)
        weight = self.config.beta * carried["length"]
        long_term = (network + weight * carried["score"]) / (1 + weight)
        return (1 - self.config.alpha) * network + self.config.alpha * long_term

    def learn(self, new, carried):
        if carried is None:
            return
        settings = self.config.adaptation
        new["velocity"] = carried["velocity"]
        if new["own"] >= np.float32(self.config.score_threshold):
            steps = [now - then for now, then in zip(new["centre"], carried["centre"], strict=True)]
            new["velocity"] = tuple(
                rounded(v + settings.velocity * (step - v))
                for v, step in zip(carried["velocity"], steps, strict=True)
            )
        lately = carried["best"] + settings.best_decay * (new["score"] - carried["best"])
        new["best"] = max(rounded(lately), new["own"])

    def leaves(self, carried, area):
        _, _, right, bottom = area
        x1, y1, x2, y2 = around(expected(carried), carried["size"])
        (vx, vy), speed = carried["velocity"], self.config.adaptation.leaving_speed
        return (
            (x1 < 0 and vx < -speed)
            or (x2 > right - 1 and vx > speed)
            or (y1 < 0 and vy < -speed)
            or (y2 > bottom - 1 and vy > speed)
        )


def expected(carried):
    return tuple(place + step for place, step in zip(carried["centre"], carried["velocity"], strict=True))


def overlap(site, carried):
    return iou(around(site["centre"], site["size"]), around(expected(carried), carried["size"]))


def around(centre, size):
    centre, half = np.array(centre, np.float32), size.astype(np.float32) / np.float32(2)
    return np.concatenate([centre - half, centre + half]).tolist()
