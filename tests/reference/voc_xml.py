"""An annotation of ImageNet by the DOM of the standard library: slow, obvious, and trusting."""

from __future__ import annotations

from xml.dom import minidom


def read(text: str | bytes) -> tuple[int, int, list[dict[str, object]]]:
    """Return width, height, and for each object its wnid, box, track, occluded and generated."""
    document = minidom.parseString(text)

    def value(element: minidom.Element, tag: str) -> str:
        return str(element.getElementsByTagName(tag)[0].firstChild.data)

    objects = [
        {
            "wnid": value(element, "name"),
            "box": tuple(float(value(element, side)) for side in ("xmin", "ymin", "xmax", "ymax")),
            "track": int(value(element, "trackid")),
            "occluded": value(element, "occluded") == "1",
            "generated": value(element, "generated") == "1",
        }
        for element in document.getElementsByTagName("object")
    ]
    return int(value(document, "width")), int(value(document, "height")), objects
