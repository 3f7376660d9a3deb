"""One annotation file: read as an obvious reader reads it, and without trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatprop.lab.datasets.annotations import DatasetError
from heatprop.lab.datasets.findings import Finding
from heatprop.lab.datasets.imagenet_classes import VID_CLASSES, VID_LABELS, VID_WNIDS
from heatprop.lab.datasets.voc_xml import Annotation, parse_annotation, read_annotation
from lab.datasets.trees import CAR, DOG, GOLDEN, ZEBRA, xml, xml_object
from reference import voc_xml as reference

PIXELS = st.integers(-(2**31), 2**31) | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
OBJECTS = st.tuples(
    st.sampled_from(VID_WNIDS),
    st.tuples(PIXELS, PIXELS, PIXELS, PIXELS).map(
        lambda p: (min(p[0], p[2]), min(p[1], p[3]), max(p[0], p[2]), max(p[1], p[3]))
    ),
    st.integers(0, 10**6),
    st.integers(0, 1),
    st.integers(0, 1),
)


def as_reference(annotation: Annotation) -> tuple[int, int, list[dict[str, object]]]:
    return (
        annotation.width,
        annotation.height,
        [
            {
                "wnid": VID_WNIDS[one.label],
                "box": one.box,
                "track": one.track,
                "occluded": one.occluded,
                "generated": one.generated,
            }
            for one in annotation.objects
        ],
    )


def parse(text: str | bytes, **options: bool) -> Annotation:
    data = text.encode() if isinstance(text, str) else text
    annotation = parse_annotation(data, "a.xml", VID_LABELS, **options)
    assert annotation is not None
    return annotation


def collect(text: str | bytes) -> tuple[Annotation | None, list[Finding]]:
    findings: list[Finding] = []
    data = text.encode() if isinstance(text, str) else text
    return parse_annotation(data, "a.xml", VID_LABELS, report=findings.append), findings


@given(st.lists(OBJECTS, max_size=5), st.integers(1, 10**5), st.integers(1, 10**5))
def test_it_reads_what_an_obvious_reader_reads(objects: list[tuple], width: int, height: int) -> None:  # type: ignore[type-arg]
    text = xml(*(xml_object(*one) for one in objects), width=width, height=height)
    assert as_reference(parse(text)) == reference.read(text)


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.rglob("*.xml"))[::5], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_official_files_are_read_as_an_obvious_reader_reads_them(path: Path) -> None:
    annotation = read_annotation(path, VID_LABELS)
    assert annotation is not None
    assert as_reference(annotation) == reference.read(path.read_bytes())


def test_the_classes_are_the_official_thirty() -> None:
    assert len(VID_CLASSES) == len(set(VID_WNIDS)) == 30
    assert (VID_CLASSES[0], VID_WNIDS[0]) == ("airplane", "n02691156")
    assert (VID_CLASSES[9], VID_CLASSES[12], VID_CLASSES[20]) == ("domestic_cat", "giant_panda", "red_panda")
    assert VID_LABELS[ZEBRA] == 29
    assert list(VID_CLASSES) == sorted(VID_CLASSES)


def test_what_a_file_does_not_say_is_not_made_up() -> None:
    text = f"<annotation><size><width>9</width><height>8</height></size><object><name>{CAR}</name><bndbox>"
    text += "<xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>"
    (found,) = parse(text).objects
    assert (found.track, found.occluded, found.generated, found.box) == (-1, False, False, (1, 2, 3, 4))


def test_a_file_without_objects_is_an_annotation() -> None:
    assert parse(xml()) == Annotation(64, 48, ())


def test_a_box_of_one_pixel_is_not_inverted() -> None:
    assert parse(xml(xml_object(box=(3, 3, 3, 3)))).objects[0].box == (3, 3, 3, 3)


@pytest.mark.parametrize(
    "box", [(-1, 5, 20, 30), (4, -3, 20, 30), (4, 5, 65, 30), (4, 5, 20, 49), (900, 900, 901, 901)]
)
def test_a_box_beyond_the_image_is_read_as_written_and_reported_with_its_line(box: tuple[int, ...]) -> None:
    assert parse(xml(xml_object(box=box))).objects[0].box == box
    annotation, (finding,) = collect(xml(xml_object(), xml_object(box=box)))
    assert annotation is not None
    assert len(annotation.objects) == 2
    assert (finding.kind, finding.is_damage) == ("box outside the picture", False)
    assert finding.place == "a.xml, line 23"


@pytest.mark.parametrize("box", [(0, 0, 63, 47), (1, 1, 64, 48), (0, 0, 64, 48)])
def test_a_box_up_to_the_edge_is_no_finding_whether_pixels_count_from_0_or_1(box: tuple[int, ...]) -> None:
    assert collect(xml(xml_object(box=box)))[1] == []


BILLION = (
    '<?xml version="1.0"?>\n<!DOCTYPE a [\n<!ENTITY x0 "lol">\n'
    + "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">\n' for n in range(1, 10))
    + "]>\n<annotation><folder>&x9;</folder></annotation>"
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><folder>&x;</folder></annotation>'
REMOTE = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><annotation/>'
DAMAGED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", r"a.xml: is empty"),
    "blank": (" \n ", r"a.xml: is empty"),
    "no XML": ("hello", r"a.xml, line 1: is not whole XML"),
    "cut off": (xml(xml_object())[:200], r"a.xml, line \d+: is not whole XML"),
    "another root": ("<html/>", r"a.xml, line 1: holds <html>"),
    "a billion laughs": (BILLION, r"a.xml, line 2: a DOCTYPE is not allowed"),
    "an external entity": (EXTERNAL, r"a.xml, line 1: a DOCTYPE is not allowed"),
    "a remote DTD": (REMOTE, r"a.xml, line 1: a DOCTYPE is not allowed"),
    "a DOCTYPE in UTF-16": (EXTERNAL.encode("utf-16"), r"a.xml: a DOCTYPE is not allowed"),
    "an undefined entity": (xml().replace("<folder>f", "<folder>&x;"), r"a.xml, line 2: is not whole XML"),
    "bytes that are no UTF-8": (
        xml().encode().replace(b"<folder>f", b"<folder>\xff\xfe"),
        r"line 2: is not whole",
    ),
    "an unknown encoding": (
        '<?xml version="1.0" encoding="klingon"?><annotation/>',
        r"a.xml, line 1: is not whole",
    ),
    "a lie about the encoding": ('<?xml version="1.0" encoding="utf-16"?><annotation/>', r"a.xml, line 1"),
    "nested too deep": ("<annotation>" + "<a>" * 100_000, r"a.xml, line 1: is not whole XML"),
    "too long": (xml() + " " * (1 << 24), r"a.xml: is larger than 16 MB"),
    "no size": ("<annotation>\n</annotation>", r"a.xml, line 1: <annotation> has no <size>"),
    "no width": (xml().replace("width", "breadth"), r"a.xml, line 7: <size> has no <width>"),
    "a side of 0": (xml(width=0), r"a.xml, line 7: the image is 0x48"),
    "a side that is a word": (xml(height="tall"), r"a.xml, line 9: height is 'tall'; it must be a finite number"),
    "no name": (xml(xml_object()).replace("name>", "n>"), r"a.xml, line 11: <object> has no <name>"),
    "no box": (xml(xml_object()).replace("bndbox", "b"), r"a.xml, line 11: <object> has no <bndbox>"),
    "no ymax": (xml(xml_object()).replace("ymax", "y"), r"a.xml, line 14: <bndbox> has no <ymax>"),
    "NaN": (xml(xml_object(box=("nan", 5, 20, 30))), r"a.xml, line 16: xmin is 'nan'"),
    "infinity": (xml(xml_object(box=(4, 5, "1e999", 30))), r"a.xml, line 15: xmax is '1e999'"),
    "a side beyond reason": (xml(xml_object(box=(4, 5, "1e300", 30))), r"a.xml, line 15: xmax is '1e300'"),
    "an empty number": (xml(xml_object(box=("", 5, 20, 30))), r"a.xml, line 16: xmin is ''"),
    "underscores": (xml(xml_object(box=("1_0", 5, 20, 30))), r"a.xml, line 16: xmin is '1_0'"),
    "inverted in x": (xml(xml_object(box=(21, 5, 20, 30))), r"a.xml, line 14: box is inverted: x from 21 to 20"),
    "inverted in y": (
        xml(xml_object(box=(4, 31, 20, 30))),
        r"a.xml, line 14: box is inverted: .* y from 31 to 30",
    ),
    "half a track": (xml(xml_object(track=1.5)), r"a.xml, line 12: trackid is 1.5; it must be a whole number"),
    "a track without end": (xml(xml_object(track="9" * 400)), r"a.xml, line 12: trackid is '999"),
    "two boxes": (
        xml(xml_object().replace("</bndbox>", "</bndbox><bndbox/>")),
        r"a.xml, line 19: <bndbox> stands twice in <object>; keep one",
    ),
    "two names": (
        xml(xml_object().replace("<name>", f"<name>{ZEBRA}</name><name>")),
        r"a.xml, line 13: <name> stands twice in <object>; keep one",
    ),
    "two sides": (
        xml(xml_object().replace("<ymin>", "<xmin>9</xmin><ymin>")),
        r"a.xml, line 18: <xmin> stands twice in <bndbox>; keep one",
    ),
    "two tracks": (
        xml(xml_object().replace("<name>", "<trackid>1</trackid><name>")),
        r"a.xml, line 13: <trackid> stands twice in <object>",
    ),
    "two sizes": (xml().replace("<folder>", "<size/><folder>"), r"a.xml, line 7: <size> stands twice"),
    "two widths": (xml(width="8</width><width>9"), r"a.xml, line 8: <width> stands twice in <size>"),
    "a tag within a number": (xml(xml_object(box=("1<b/>2", 5, 20, 30))), r"a.xml, line 16: xmin holds <b>"),
    "an object in capitals": (
        xml(xml_object().replace("object", "Object")),
        r"a.xml, line 11: <Object> is not read; write <object>",
    ),
    "a box in capitals": (
        xml(xml_object().replace("<occ", "<BndBox/><occ")),
        r"a.xml, line 20: <BndBox> is not read; write <bndbox>",
    ),
    "a track in capitals": (
        xml(xml_object().replace("trackid", "trackID")),
        r"a.xml, line 12: <trackID> is not read; write <trackid>",
    ),
    "a list of objects": (
        xml(f"<objects>{xml_object()}</objects>"),
        r"a.xml, line 11: <object> in <objects> is not read; objects stand in <annotation>, as <object>",
    ),
    "an object within the source": (
        xml().replace("<database>", f"{xml_object()}<database>"),
        r"a.xml, line 5: <object> in <source> is not read",
    ),
    "a box of no object": (
        xml("<car><bndbox/></car>"),
        r"a.xml, line 11: <bndbox> in <car> is not read; objects stand in <annotation>",
    ),
    "an unknown class": (
        xml(xml_object("n00000001")),
        r"a.xml, line 13: class 'n00000001' is none of the 30 known",
    ),
}


@pytest.mark.parametrize(("text", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_refused_with_file_and_line_and_collected_alike(text: str | bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as refusal:
        parse(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250
    annotation, findings = collect(text)
    assert str(findings[0]) == str(refusal.value)
    assert annotation is None or annotation.objects == ()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-7"])
def test_a_bomb_is_refused_in_whatever_encoding_and_not_expanded(encoding: str) -> None:
    with pytest.raises(DatasetError, match=r"a\.xml"):
        parse(BILLION.replace('"1.0"', f'"1.0" encoding="{encoding}"').encode(encoding))


def test_collecting_leaves_out_only_the_damaged_object() -> None:
    annotation, findings = collect(
        xml(xml_object(), xml_object("cow"), xml_object(box=(9, 9, 1, 1)), xml_object(ZEBRA))
    )
    assert annotation is not None
    assert [one.label for one in annotation.objects] == [6, 29]
    assert [finding.kind for finding in findings] == ["unknown class", "inverted box"]


def test_objects_that_stand_elsewhere_are_each_named_and_the_others_read() -> None:
    astray = f"<objects>\n{xml_object()}{xml_object()}</objects>\n"
    annotation, findings = collect(xml(xml_object(ZEBRA), astray, xml_object(DOG).replace("object", "Object")))
    assert annotation is not None
    assert [one.label for one in annotation.objects] == [29]
    assert [finding.kind for finding in findings] == ["object out of place"] * 2 + ["tag in another spelling"]
    assert all(finding.is_damage for finding in findings)
    assert len({finding.place for finding in findings}) == 3


def test_parts_of_an_object_may_have_names_and_boxes_of_their_own() -> None:
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    pose = "<pose>left</pose><point><x>1</x></point><point><x>2</x></point>"
    (found,) = parse(xml(xml_object(box=(4, 5, 20, 30)).replace("<occ", f"{part}{part}{pose}<occ"))).objects
    assert (found.label, found.box) == (6, (4, 5, 20, 30))


def test_other_classes_can_be_skipped() -> None:
    assert len(parse(xml(xml_object("n00000001"), xml_object()), skip_others=True).objects) == 1


@given(st.binary(max_size=300) | st.text(alphabet="<>/ab&;![]'\" annotio", max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    findings: list[Finding] = []
    annotation = parse_annotation(data, "a.xml", VID_LABELS, report=findings.append)
    assert (annotation is None) == bool(findings)
    assert all(finding.place.startswith("a.xml") for finding in findings)


@given(st.integers(0, 1000))
def test_a_file_cut_off_anywhere_is_refused(length: int) -> None:
    whole = xml(xml_object(), xml_object(ZEBRA)).rstrip()
    with pytest.raises(DatasetError, match=r"a\.xml"):
        parse(whole[: min(length, len(whole) - 1)])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.xml: cannot be read \(No such file"):
        read_annotation(tmp_path / "gone.xml", VID_LABELS)
    with pytest.raises(DatasetError, match=r"cannot be read \(it is a folder, not a regular file"):
        read_annotation(tmp_path, VID_LABELS)
