"""One suite for every backend that is installed."""

from __future__ import annotations

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from heatprop import zoo
from heatprop.backends import Backend, available, load_model, open_backend
from heatprop.errors import BackendError, InvalidArrayError, InvalidConfigError
from heatprop.letterbox import fit_letterbox, letterbox
from heatprop.types import HeadOutput, ImageArray
from heatprop.zoo.card import BoxForm
from small_checkpoints import small_checkpoint

MODEL = zoo.load("mb3-coco")

# Largest difference from ONNX Runtime in float32 on a real image, where the network sees something: of the
# heatmap, and of the size in cells on the average. bfloat16 keeps 8 bits of each number, float16 11.
TOLERANCE = {"f32": (2e-3, 0.02), "f16": (2e-2, 0.1), "bf16": (0.1, 0.6)}


@pytest.fixture(
    scope="module",
    params=[*((name, "f32") for name in available()), ("openvino", "bf16"), ("torch", "bf16")],
    ids="-".join,
)
def backend(request: pytest.FixtureRequest) -> Backend:
    name, precision = request.param
    try:
        return open_backend(name, model_for(name), precision=precision)
    except BackendError as error:
        if precision == "f32":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def street(street_image: ImageArray) -> ImageArray:
    return letterbox(street_image, fit_letterbox(640, 272, MODEL.card.input))[None]


@cache
def model_for(name: str) -> zoo.Model:
    """The embedded model; for PyTorch, which cannot open it, a checkpoint with arbitrary weights."""
    return load_model(small_checkpoint()) if name == "torch" else MODEL


def noise(count: int, height: int, width: int, seed: int = 0) -> ImageArray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def assert_same(first: HeadOutput, second: HeadOutput) -> None:
    np.testing.assert_array_equal(first.heatmap, second.heatmap)
    np.testing.assert_array_equal(first.size, second.size)


def test_it_says_what_it_is(backend: Backend) -> None:
    assert backend.name in available()
    assert "CPU" in backend.description
    assert "\n" not in backend.description
    assert backend.concurrency >= 1


@pytest.mark.parametrize("height_width", [(32, 32), (64, 512), (512, 64), (224, 512), (96, 160)])
@pytest.mark.parametrize("count", [1, 2])
def test_shapes_types_and_ranges(backend: Backend, height_width: tuple[int, int], count: int) -> None:
    height, width = height_width
    outputs = backend.infer(noise(count, height, width))
    assert len(outputs) == count
    for output in outputs:
        card = model_for(backend.name).card
        assert output.heatmap.shape == (len(card.classes), height // 4, width // 4)
        assert output.size.shape == (card.size_channels, height // 4, width // 4)
        assert (output.offset is not None) == card.has_offset
        assert output.heatmap.dtype == output.size.dtype == np.float32
        assert output.heatmap.min() >= 0
        assert output.heatmap.max() <= 1
        assert np.isfinite(output.size).all()


def test_the_same_image_gives_the_same_numbers(backend: Backend, street: ImageArray) -> None:
    assert_same(backend.infer(street)[0], backend.infer(street.copy())[0])


def test_the_input_is_left_alone_and_may_be_read_only(backend: Backend, street: ImageArray) -> None:
    locked = street.copy()
    locked.flags.writeable = False
    output = backend.infer(locked)[0]
    np.testing.assert_array_equal(locked, street)
    assert_same(output, backend.infer(street)[0])


def test_an_input_in_pieces_of_memory_is_read_right(backend: Backend, street: ImageArray) -> None:
    planes_first = np.ascontiguousarray(street.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    assert not planes_first.flags.c_contiguous
    assert_same(backend.infer(planes_first)[0], backend.infer(street)[0])


def test_later_calls_do_not_change_earlier_results(backend: Backend, street: ImageArray) -> None:
    first = backend.infer(street)[0]
    heatmap, size = first.heatmap.copy(), first.size.copy()
    backend.infer(np.zeros_like(street))
    backend.infer(noise(1, 64, 64))
    np.testing.assert_array_equal(first.heatmap, heatmap)
    np.testing.assert_array_equal(first.size, size)


def test_a_batch_equals_its_images_one_by_one(backend: Backend, street: ImageArray) -> None:
    mirrored = np.ascontiguousarray(street[:, :, ::-1])
    batch = backend.infer(np.concatenate([street, mirrored, street]))
    tolerance = TOLERANCE[precision(backend)]
    for together, alone in zip(batch, [street, mirrored, street], strict=True):
        assert_close(together, backend.infer(alone)[0], tolerance)


def test_calls_from_many_threads_equal_calls_in_a_row(backend: Backend, street: ImageArray) -> None:
    images = [np.ascontiguousarray(np.roll(street, 16 * step, axis=2)) for step in range(6)]
    images += [noise(1, 64, 96, seed) for seed in range(3)]
    in_a_row = [backend.infer(image)[0] for image in images]
    with ThreadPoolExecutor(backend.concurrency + 2) as pool:
        at_once = list(pool.map(lambda image: backend.infer(image)[0], images * 3))
    for together, alone in zip(at_once, in_a_row * 3, strict=True):
        assert_same(together, alone)


def test_many_sizes_in_turn_keep_their_results(backend: Backend) -> None:
    first = backend.infer(noise(1, 32, 32))[0]
    for step in range(1, 12):
        assert backend.infer(noise(1, 32, 32 * step))[0].grid == (8, 8 * step)
    assert_same(backend.infer(noise(1, 32, 32))[0], first)


def test_it_agrees_with_float32_on_a_real_image(backend: Backend, street: ImageArray) -> None:
    exact = "torch" if backend.name == "torch" else "onnx"
    truth = open_backend(exact, model_for(backend.name)).infer(street)[0]
    assert_close(backend.infer(street)[0], truth, TOLERANCE[precision(backend)])


def test_the_man_and_the_cars_are_seen(backend: Backend, street: ImageArray) -> None:
    if backend.name == "torch":
        pytest.skip("the checkpoint was never trained")
    heatmap = backend.infer(street)[0].heatmap
    height, width = heatmap.shape[1:]
    classes = MODEL.card.classes
    strongest = {
        classes[index]: np.unravel_index(heatmap[index].argmax(), (height, width))
        for index in np.argsort(heatmap.max(axis=(1, 2)))[-2:]
    }
    assert set(strongest) == {"person", "car"}
    assert width * 0.3 < strongest["person"][1] < width * 0.6, "the man is in the middle"
    assert not width * 0.3 < strongest["car"][1] < width * 0.6, "the cars are at the sides"


@pytest.mark.parametrize(
    ("images", "part"),
    [
        (np.zeros((1, 64, 64, 3), np.float32), "float32"),
        ([[0]], "list"),
        (np.zeros((64, 64, 3), np.uint8), "(64, 64, 3)"),
        (np.zeros((1, 3, 64, 64), np.uint8), "(1, 3, 64, 64)"),
        (np.zeros((0, 64, 64, 3), np.uint8), "(0, 64, 64, 3)"),
        (np.zeros((1, 64, 0, 3), np.uint8), "(1, 64, 0, 3)"),
        (np.zeros((1, 64, 65, 3), np.uint8), "multiples of 32"),
        (np.zeros((1, 65, 64, 3), np.uint8), "multiples of 32"),
    ],
)
def test_wrong_inputs_are_refused(backend: Backend, images: ImageArray, part: str) -> None:
    with pytest.raises(InvalidArrayError) as caught:
        backend.infer(images)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize(("threads", "concurrency"), [(1, None), (2, 1), (2, 2), (1, 4), (9, None)])
def test_threads_do_not_change_what_comes_out(
    name: str, threads: int, concurrency: int | None, street: ImageArray
) -> None:
    model = model_for(name)
    chosen = open_backend(name, model, threads=threads, concurrency=concurrency)
    assert chosen.concurrency == min(threads, concurrency or 8)
    usual = open_backend(name, model)
    assert_close(chosen.infer(street)[0], usual.infer(street)[0], TOLERANCE[precision(usual)])


@pytest.mark.parametrize("name", available())
def test_a_file_that_breaks_its_cards_word_is_refused(name: str, tmp_path: Path) -> None:
    model = model_for(name)
    card, classes = model.card, len(model.card.classes)
    wrong_form: BoxForm = "size" if card.box_form == "distances" else "distances"
    for wrong, part in [
        (replace(card, classes=card.classes[:-1]), f"'heatmap' has {classes} channels"),
        (replace(card, box_form=wrong_form), f"'size' has {card.size_channels} channels"),
        *([] if card.has_offset else [(replace(card, has_offset=True), "no output 'offset'")]),
    ]:
        with pytest.raises(BackendError) as caught:
            open_backend(name, zoo.Model(wrong, model.path))
        assert part in str(caught.value)
    coarse = zoo.Model(replace(card, stride=8), model.path)
    with pytest.raises(BackendError, match="by its card"):
        open_backend(name, coarse).infer(noise(1, 64, 64))
    if name == "torch":
        return  # its inputs have no names
    renamed = onnx.load(MODEL.path)
    renamed.graph.input[0].name = "pixels"
    for node in renamed.graph.node:
        node.input[:] = ["pixels" if each == "images" else each for each in node.input]
    onnx.save(renamed, tmp_path / "renamed.onnx")
    with pytest.raises(BackendError, match="'pixels'"):
        open_backend(name, zoo.Model(card, tmp_path / "renamed.onnx"))


ONNX_RUNTIMES = [name for name in available() if name != "torch"]


def with_fixed_batch(count: int) -> onnx.ModelProto:
    """The embedded model for one size of batch, which stands in a layer too, as in networks that were traced."""
    network = onnx.load(MODEL.path)
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
    for output in network.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = count
    rename(network, "heatmap", "heatmap/loose")
    shape = onnx.numpy_helper.from_array(np.array([count, 80, 0, -1]), "heatmap/shape")
    network.graph.initializer.append(shape)
    network.graph.node.append(onnx.helper.make_node("Reshape", ["heatmap/loose", "heatmap/shape"], ["heatmap"]))
    return network


def in_half_precision(*, outputs: bool) -> onnx.ModelProto:
    """The embedded model with float16 for an input, and for outputs if asked for."""
    network = onnx.load(MODEL.path)
    rename(network, "images", "images/float32")
    cast = onnx.helper.make_node("Cast", ["images"], ["images/float32"], to=onnx.TensorProto.FLOAT)
    network.graph.node.insert(0, cast)
    network.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    for output in network.graph.output if outputs else []:
        single = f"{output.name}/float32"
        rename(network, output.name, single)
        network.graph.node.append(
            onnx.helper.make_node("Cast", [single], [output.name], to=onnx.TensorProto.FLOAT16)
        )
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    return network


def rename(network: onnx.ModelProto, old: str, new: str) -> None:
    for node in network.graph.node:
        node.input[:] = [new if each == old else each for each in node.input]
        node.output[:] = [new if each == old else each for each in node.output]


@pytest.mark.parametrize("name", ONNX_RUNTIMES)
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_fixed_batch_takes_any_number_of_images(
    name: str, batch: int, street: ImageArray, tmp_path: Path
) -> None:
    onnx.save(with_fixed_batch(batch), tmp_path / "fixed.onnx")
    fixed = open_backend(name, load_model(tmp_path / "fixed.onnx"))
    usual = open_backend(name, MODEL)
    images = np.concatenate([np.roll(street, 16 * step, axis=2) for step in range(5)])
    for count in (1, 2, 3, 5):
        outputs = fixed.infer(images[:count])
        assert len(outputs) == count
        for output, truth in zip(outputs, usual.infer(images[:count]), strict=True):
            assert_close(output, truth, TOLERANCE["f32"])


@pytest.mark.parametrize("name", ONNX_RUNTIMES)
@pytest.mark.parametrize("outputs", [False, True])
def test_a_network_that_takes_float16_is_fed_it(
    name: str, outputs: bool, street: ImageArray, tmp_path: Path
) -> None:
    onnx.save(in_half_precision(outputs=outputs), tmp_path / "half.onnx")
    output = open_backend(name, load_model(tmp_path / "half.onnx")).infer(street)[0]
    assert output.heatmap.dtype == output.size.dtype == np.float32
    assert_close(output, open_backend(name, MODEL).infer(street)[0], TOLERANCE["f16"])


def test_an_input_that_holds_no_floats_is_refused(tmp_path: Path) -> None:
    network = in_half_precision(outputs=False)
    network.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT32
    onnx.save(network, tmp_path / "whole.onnx")
    with pytest.raises(BackendError, match=r"whole\.onnx takes tensor\(int32\)"):
        open_backend("onnx", load_model(tmp_path / "whole.onnx"))


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("damage", ["a hole at its beginning", "a name that is no UTF-8"])
def test_a_damaged_file_is_refused_in_one_line(
    name: str, damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = model_for(name)
    content = model.path.read_bytes()
    if damage == "a hole at its beginning":
        content = bytes(64) + content[64:]
    elif name == "torch":
        pytest.skip("a checkpoint has no names of inputs")
    else:
        content = content.replace(b"images", b"\x85mages")
    damaged = tmp_path / f"damaged{model.path.suffix}"
    damaged.write_bytes(content)
    with pytest.raises(BackendError) as caught:
        open_backend(name, zoo.Model(model.card, damaged))
    assert damaged.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_auto_takes_the_fastest_installed() -> None:
    assert open_backend("auto", MODEL).name == available()[0]
    assert available() == [name for name in ("openvino", "onnx", "torch") if name in available()]


def test_a_backend_opens_only_its_own_files() -> None:
    with pytest.raises(BackendError, match=r"'torch' does not open .*onnx.* choose openvino or onnx"):
        open_backend("torch", MODEL)
    with pytest.raises(BackendError, match=r"no backend opens model\.engine; give an \.onnx"):
        open_backend("auto", zoo.Model(MODEL.card, Path("model.engine")))


@pytest.mark.parametrize(("name", "part"), [("tensorflow", "unknown"), ("", "unknown")])
def test_an_unknown_backend_is_refused(name: str, part: str) -> None:
    with pytest.raises(BackendError, match=part) as caught:
        open_backend(name, MODEL)
    assert "onnx" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "device", "part"),
    [
        ("onnx", "cuda", "onnxruntime-gpu"),
        ("onnx", "tensorrt", "onnxruntime-gpu"),
        ("auto", "tensorrt", "onnxruntime-gpu"),
        ("openvino", "cuda", "no device 'cuda'"),
        ("torch", "tensorrt", "no device 'tensorrt'"),
        ("torch", "cuda", "no device 'cuda'"),
        ("onnx", "gpu", "unknown"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_the_remedy(name: str, device: str, part: str) -> None:
    if device == "cuda" and name == "torch" and importlib.import_module("torch").cuda.is_available():
        pytest.skip("this machine has a CUDA card")
    with pytest.raises(BackendError, match=part) as caught:
        open_backend(name, model_for(name), device=device)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", available())
def test_the_processor_can_be_asked_for(name: str) -> None:
    assert "CPU" in open_backend(name, model_for(name), device="cpu").description


def test_impossible_numbers_of_threads_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match="threads is 0"):
        open_backend("onnx", MODEL, threads=0)
    with pytest.raises(InvalidConfigError, match="concurrency is -1"):
        open_backend("onnx", MODEL, concurrency=-1)


def test_a_backend_that_is_not_installed_is_refused_with_the_remedy() -> None:
    # In another interpreter, whose import system does not find OpenVINO.
    code = (
        "import importlib.util, sys; found = importlib.util.find_spec\n"
        "hidden = ('openvino', 'torch')\n"
        "importlib.util.find_spec = lambda name, *rest: None if name in hidden else found(name, *rest)\n"
        "from pathlib import Path\n"
        "from heatprop import zoo; from heatprop.backends import available, load_model, open_backend\n"
        "model = zoo.load('mb3-coco')\n"
        "print(available(), open_backend('auto', model).name)\n"
        "xml = zoo.Model(model.card, Path('model.xml'))\n"
        "for call in (\n"
        "    lambda: open_backend('openvino', model),\n"
        "    lambda: open_backend('auto', xml),\n"
        "    lambda: load_model('a.pth'),\n"
        "):\n"
        "    try: call()\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "['onnx'] onnx"
    assert done.stdout.count("BackendError") == 3
    assert done.stdout.count("pip install --upgrade 'heatprop[openvino]'") == 2
    assert done.stdout.count("pip install --upgrade 'heatprop[export]'") == 1


@pytest.mark.parametrize("name", available())
def test_the_first_calls_may_come_at_once(name: str) -> None:
    # Only a fresh interpreter has first calls; OpenVINO's binding used to stand still in 5 of 12.
    code = (
        "import sys, threading, numpy; from heatprop.backends import load_model, open_backend\n"
        "sys.setswitchinterval(1e-6)\n"
        f"backend = open_backend({name!r}, load_model({str(model_for(name).path)!r}))\n"
        "barrier = threading.Barrier(4)\n"
        "def call():\n"
        "    images = numpy.zeros((1, 32, 32, 3), numpy.uint8); barrier.wait(); backend.infer(images)\n"
        "threads = [threading.Thread(target=call, daemon=True) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join(60) for thread in threads]\n"
        "sys.stdout.write(str(sum(thread.is_alive() for thread in threads)))\n"
        "sys.stdout.flush(); import os; os._exit(0)\n"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "0", "threads that never came back"


@pytest.mark.parametrize("name", available())
def test_nothing_is_printed_and_nothing_is_imported_before_its_time(name: str) -> None:
    code = (
        "import sys\n"
        "import heatprop.backends; from heatprop import zoo\n"
        "assert zoo.models() and heatprop.backends.available()\n"
        "heavy = [each for each in ('onnxruntime', 'openvino', 'onnx', 'torch') if each in sys.modules]\n"
        "assert not heavy, heavy\n"
        "import numpy\n"
        f"model = heatprop.backends.load_model({str(model_for(name).path)!r})\n"
        f"backend = heatprop.backends.open_backend({name!r}, model)\n"
        "backend.infer(numpy.zeros((1, 64, 64, 3), numpy.uint8))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def precision(backend: Backend) -> str:
    return backend.description.rsplit(" ", 1)[1]


def assert_close(output: HeadOutput, truth: HeadOutput, tolerance: tuple[float, float]) -> None:
    assert np.abs(output.heatmap - truth.heatmap).max() <= tolerance[0]
    seen = truth.heatmap.max(axis=0) >= 0.05
    assert seen.any()
    assert np.abs(output.size - truth.size)[:, seen].mean() <= tolerance[1]
