"""Identities by loops over objects and detections: an object is a dict."""

from reference.boxes import iou


def corners(box):
    x, y, width, height = box
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


class LoopingIdentities:
    """Gives each detection of a frame, a dict, the id of the object that it is."""

    def __init__(self, config):
        self.config, self.objects, self.next_id = config, [], 0

    def update(self, found):
        """Return the ids of detections: dicts of label, box as corners, score, network and came_from."""
        pairs = []
        for row, one in enumerate(self.objects):
            for column, each in enumerate(found):
                if one["label"] != each["label"]:
                    continue
                overlap = iou(corners(one["box"]), each["box"])
                strong = each["score"] >= self.config.strong
                least = self.config.min_iou if strong else self.config.weak_min_iou
                if each["network"] >= self.config.seen and overlap >= least and overlap > 0:
                    worth = overlap + each["score"]
                    worth += self.config.same_tracklet * (one["id"] == each["came_from"])
                    worth += self.config.doubt * (one["sightings"] > 0)
                    places = (*one["box"][1::-1], *each["box"][1::-1])
                    pairs.append((0 if strong else 1, -worth, *places, row, column))
        pairs.sort(key=lambda pair: pair[:6])  # stable
        pairs += [
            (row, column)
            for row, one in enumerate(self.objects)
            for column, each in enumerate(found)
            if one["id"] == each["came_from"]
        ]
        owner, taken = {}, set()
        for *_, row, column in pairs:
            if row not in taken and column not in owner:
                owner[column] = self.objects[row]
                taken.add(row)
        shown = [self.renewed(each, owner.get(column)) for column, each in enumerate(found)]
        lost = [self.out_of_sight(one) for row, one in enumerate(self.objects) if row not in taken]
        self.objects = shown + [one for one in lost if one is not None]
        return [one["id"] for one in shown]

    def renewed(self, each, known):
        """Return the object of a detection, as it is expected in the next frame."""
        x1, y1, x2, y2 = each["box"]
        place = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
        strong = int(each["score"] >= self.config.strong)
        if known is None:
            new = {"id": self.next_id, "speed": [0.0] * 4, "box": place, "unseen": 0, "sightings": strong}
            self.next_id += 1
        elif each["network"] < self.config.seen:
            new = self.coasting(known) | {"sightings": known["sightings"] + strong}
        else:
            gain = 0.5 if known["sightings"] <= 1 else self.config.velocity_gain
            off = [here - there for here, there in zip(place, known["box"], strict=True)]
            speed = [
                old + gain / (known["unseen"] + 1) * step for old, step in zip(known["speed"], off, strict=True)
            ]
            box = [
                old + self.config.position_gain * step + new
                for old, step, new in zip(known["box"], off, speed, strict=True)
            ]
            sightings = known["sightings"] + strong
            new = {"id": known["id"], "speed": speed, "box": box, "unseen": 0, "sightings": sightings}
        new["box"] = [*new["box"][:2], *(max(side, 1e-6) for side in new["box"][2:])]
        return new | {"label": each["label"]}

    def coasting(self, known):
        kept = self.config.velocity_kept
        speed = [kept * known["speed"][0], kept * known["speed"][1], 0.0, 0.0]
        box = [old + step for old, step in zip(known["box"], speed, strict=True)]
        return {**known, "speed": speed, "box": box, "unseen": known["unseen"] + 1}

    def out_of_sight(self, known):
        """Return an object that no detection is, or None where it is given up."""
        memory = self.config.memory if known["sightings"] else min(self.config.memory, 1)
        return self.coasting(known) if known["unseen"] < memory else None
