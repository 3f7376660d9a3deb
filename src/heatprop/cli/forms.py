"""The two forms of propagation, by the names that commands give them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from heatprop.propagation import PropagationConfig

Form: TypeAlias = Literal["adaptive", "paper"]

FORMS = {"adaptive": PropagationConfig.adaptive, "paper": PropagationConfig.paper}
