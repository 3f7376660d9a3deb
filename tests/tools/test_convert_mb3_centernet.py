from __future__ import annotations

import onnx

from heatprop import zoo


def test_the_shipped_file_is_what_was_promised() -> None:
    model = onnx.load(zoo.load("mb3-coco").path)
    assert model.opset_import[0].version >= 13
    shapes = {
        value.name: [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {
        "images": ["images", 3, "height", "width"],
        "heatmap": ["images", 80, "height/4", "width/4"],
        "size": ["images", 4, "height/4", "width/4"],
    }
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert {name for name, kind in kinds.items() if kind != onnx.TensorProto.FLOAT16} == {"double"}
