"""Section 5.3 of the paper comes out of propagation itself."""

from __future__ import annotations

from heatprop.lab.reproduction.examples import examples


def test_every_number_that_the_paper_gives_is_met() -> None:
    said = examples()
    assert [each["paper"] for each in said] == ["0.5 and 0.3", "0.88 and 0.86", "not said", "0.97", "3", "27"]
    assert [each["here"] for each in said] == ["0.5 and 0.3", "0.88 and 0.86", "0.86 and 0.83", "0.97", "3", "27"]
    assert all(each["agrees"] for each in said)
