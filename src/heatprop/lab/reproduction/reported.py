"""What the paper reports, to stand beside what is measured.

Source: Xu, Hrustic and Vivet, CenterNet Heatmap Propagation for Real-time Video Object Detection; ImageNet VID,
validation set; runtimes on the authors' graphics card.
"""

from __future__ import annotations

from dataclasses import dataclass

TITLE = "Xu, Hrustic, Vivet: CenterNet Heatmap Propagation for Real-time Video Object Detection"

ALPHAS = {0.5: 74.6, 0.6: 74.9, 0.7: 75.1, 0.8: 75.3, 0.9: 76.1, 0.95: 76.3, 0.98: 76.7, 1.0: 75.3}
"""Table 4: mAP in % for each alpha."""

BETAS = {0.5: 75.7, 1.0: 76.4, 2.0: 76.7, 5.0: 76.4, 10.0: 76.0, 100.0: 75.1, 1000.0: 75.0}
"""Table 5: mAP in % for each beta."""

RADII = {0: 75.0, 1: 76.5, 2: 76.7, 3: 76.4, 4: 75.8, 5: 75.5}
"""Table 2: mAP in % for each P."""

UNCOVERED = {0: 60.4, 1: 11.3, 2: 3.7, 3: 1.6, 4: 0.79, 5: 0.45}
"""Table 2: pairs of an object in two consecutive frames whose centre moves farther than P cells, in %."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A row of table 1; where there are two numbers, the second is with the post-processing in `name`.

    Attributes:
        name: of the method, as the paper prints it.
        source: whose figures they are.
        mean_average_precision: in %.
        runtime_ms: milliseconds a frame; "-" where its authors give none.
        frames_a_second: the same as a rate.
    """

    name: str
    source: str
    mean_average_precision: str
    runtime_ms: str
    frames_a_second: str


OTHERS = (
    Reported("R-FCN", "Chin et al. 2019", "74.2", "75", "13"),
    Reported("AdaScale", "Chin et al. 2019", "75.6", "47", "21"),
    Reported("FGFA/+Seq-NMS", "Zhu et al. 2017", "76.3/78.4", "733/873", "1.2/1.1"),
    Reported("D&T/+Viterbi", "Feichtenhofer et al. 2017", "75.8/79.8", "141/187", "6.8/5.5"),
    Reported("STSN/+Seq-NMS", "Bertasius et al. 2018", "78.9/80.4", "-", "-"),
    Reported("Tracklet-Conditioned/+FGFA", "Zhang et al. 2018", "79.4/83.5", "-", "-"),
    Reported("Scale-Time Lattice", "Chen et al. 2018", "79/79.8", "16.1/200", "62/5"),
    Reported("CenterNet/+Seq-NMS", "the paper", "73.6/75.9", "21/23", "47/43"),
    Reported("CenterNet+interpolation/+Seq-NMS", "the paper", "73.6/75.9", "22/24", "45/42"),
    Reported("CenterNet+HP/+Seq-NMS", "the paper", "76.7/78.4", "27/29", "37/34"),
)
"""Table 1."""


@dataclass(frozen=True, slots=True)
class ReportedSpeed:
    """A row of table 3: network alone, then propagation.

    Attributes:
        pairs: objects of that speed.
        missed: false negatives at that recall, the same for both.
        false_positives: of both.
        precision: of both, in %.
    """

    pairs: int
    missed: int
    false_positives: tuple[int, int]
    precision: tuple[float, float]


SPEEDS = {
    0.75: {
        "slow": ReportedSpeed(254190, 63548, (114741, 67930), (62.4, 73.7)),
        "medium": ReportedSpeed(14820, 3705, (14499, 5219), (43.4, 68.0)),
        "fast": ReportedSpeed(3028, 757, (5473, 3734), (29.3, 37.8)),
        "overall": ReportedSpeed(272038, 68010, (131973, 75648), (60.7, 73.0)),
    },
    0.65: {
        "slow": ReportedSpeed(254190, 88967, (22199, 17797), (88.2, 90.3)),
        "medium": ReportedSpeed(14820, 5187, (1891, 1504), (83.6, 86.5)),
        "fast": ReportedSpeed(3028, 1060, (1264, 911), (60.9, 68.4)),
        "overall": ReportedSpeed(272038, 95214, (24560, 19814), (87.8, 89.9)),
    },
}
"""Table 3, by recall and by displacement between two frames."""
