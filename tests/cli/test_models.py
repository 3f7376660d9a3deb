"""`heatprop models` lists what is embedded."""

import json

from cli.conftest import Run
from heatprop import zoo


def test_the_table_names_every_model_with_its_licence(run: Run) -> None:
    done = run("models")
    assert (done.code, done.err) == (0, "")
    for card in zoo.models():
        assert card.name in done.out
        assert card.licence in done.out
        assert str(len(card.classes)) in done.out


def test_json_holds_the_cards(run: Run) -> None:
    cards = json.loads(run("models", "--json").out)
    assert [card["name"] for card in cards] == [card.name for card in zoo.models()]
    assert cards[0]["classes"][:3] == ["person", "bicycle", "car"]
    assert cards[0]["bytes"] > 1_000_000
