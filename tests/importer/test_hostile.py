# SPDX-License-Identifier: Apache-2.0
"""Damaged, hostile and undecidable model files are refused, quickly and in plain words."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_bodies import BODIES, trees
from hostile_indices import INDICES
from hostile_models import F32, HOSTILE, VALID, X, Y, quantized
from hostile_packed import PACKED, product
from onnx import helper
from onnx_files import conv_model, model, node, save, value

from mcuplan.errors import McuplanError, Problems
from mcuplan.importer import protofile
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import TensorType

CASES = {**HOSTILE, **INDICES, **BODIES, **PACKED}


def _prepare(folder: Path) -> Path:
    """A folder with everything that the external locations of HOSTILE could reach."""
    inside = folder / "inside"
    (inside / "sub").mkdir(parents=True)
    for name in ("secret.bin", "inside/long.bin"):
        (folder / name).write_bytes(bytes(1000))
    (inside / "short.bin").write_bytes(bytes(100))
    (inside / "link.bin").symlink_to(folder / "secret.bin")
    (inside / "out").symlink_to(folder)
    return inside


def _errors(path: Path, **options: Any) -> tuple[McuplanError, ...]:
    with pytest.raises((McuplanError, Problems)) as caught:
        load_model(path, **options)
    error = caught.value
    return error.errors if isinstance(error, Problems) else (error,)


@pytest.mark.parametrize("case", CASES)
def test_refused_with_its_code(case: str, tmp_path: Path) -> None:
    """A bad model is refused with its code, exit status 3, a place and a one-line message."""
    proto, code = CASES[case]
    errors = _errors(save(_prepare(tmp_path), proto))
    assert code in {error.code for error in errors}
    for error in errors:
        assert 3 == error.exit_status
        assert error.where or error.hint
        assert str(error).isprintable()


@pytest.mark.parametrize("case", ["huge tensor", "huge Expand", "huge sum of a row and a column"])
def test_memory_is_not_taken(case: str, tmp_path: Path) -> None:
    """Declared sizes are checked before memory is taken."""
    import tracemalloc

    path = save(tmp_path, HOSTILE[case][0])
    tracemalloc.start()
    try:
        _errors(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize(("points", "limit"), [(None, 200), (np.ones((5, 3), F32), 300)])
def test_weights_of_few_bits_are_unpacked_within_limits(
    points: Any, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What packed weights become counts before it is made: 240 bytes, or 200 real values."""
    monkeypatch.setattr(protofile, "TENSOR_LIMIT", limit)
    (error,) = _errors(save(tmp_path, product(points)))
    assert "model/too-large" == error.code
    assert "weights" in error.message


@pytest.mark.parametrize("kind", ["missing", "folder", "device", "zero byte", "below a file"])
def test_not_a_file(kind: str, tmp_path: Path) -> None:
    """A path that is no regular file is wrong usage, exit status 2."""
    file = save(tmp_path, conv_model())
    path = {
        "missing": tmp_path / "no.onnx",
        "folder": tmp_path,
        "device": Path("/dev/zero"),
        "zero byte": tmp_path / "a\0b",
        "below a file": file / "model.onnx",
    }[kind]
    (error,) = _errors(path)
    assert ("usage/bad-argument", 2) == (error.code, error.exit_status)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(tmp_path: Path) -> None:
    """A file that may not be read is wrong usage, too."""
    path = save(tmp_path, conv_model())
    path.chmod(0)
    (error,) = _errors(path)
    assert 2 == error.exit_status


@pytest.mark.parametrize("dims", [{"N": 1}, {"x:2": 0}])
def test_dimension_that_is_not_there(dims: dict[str, int], tmp_path: Path) -> None:
    """A --dim for an unknown name, or with no size, is wrong usage."""
    path = save(tmp_path, conv_model(shape=("batch", 3, None, 8)))
    wrong = [e for e in _errors(path, dims=dims) if e.code == "usage/bad-argument"]
    assert 1 == len(wrong)
    assert 2 == wrong[0].exit_status


_ODD = ['a"b', "a'b", "a\nb", "*/ evil();", "../../up", "/abs", "", "%s%n", "\x1b[31m", "ü→", "\0"]


@pytest.mark.parametrize("name", [n for n in _ODD if n])
def test_odd_names_are_kept(name: str, tmp_path: Path) -> None:
    """Names of any characters import; they stay as the model has them."""
    nodes = [node("Conv", [name, "w", "b"], [f"{name}2"], kernel_shape=[3, 3], name=f"n{name}")]
    base = conv_model()
    proto = model(nodes, [value(name, [1, 3, 8, 8])], [value(f"{name}2", None)])
    proto.graph.initializer.extend(base.graph.initializer)
    graph = load_model(save(tmp_path, proto)).graph
    assert [name] == [p.name for p in graph.inputs]
    assert [f"{name}2"] == [p.name for p in graph.outputs]
    graph.check()


@pytest.mark.parametrize("name", [n for n in _ODD if n])
def test_odd_names_in_messages(name: str, tmp_path: Path) -> None:
    """A message shows odd names on one line, without control characters."""
    proto = model([node("Det", ["x"], ["y"], name=f"n{name}")], [X], [Y])
    (error,) = _errors(save(tmp_path, proto))
    assert str(error).isprintable()
    assert "Det" in error.where


def test_every_problem_at_once(tmp_path: Path) -> None:
    """One run names every unsupported node, also those behind a refused one."""
    nodes = [
        node("Det", ["x"], ["a"]),
        node("Conv", ["x", "w"], ["b"], kernel_shape=[1, 1], auto_pad="ODD"),
        node("LpNormalization", ["a"], ["c"], p=3),
        node("Relu", ["a"], ["d"]),
        node("LpNormalization", ["b"], ["y"], p=3),
        node("Sum", ["c", "d", "y"], ["z"]),
    ]
    inputs = [value("x", [1, 3, 8, 8]), value("unused", [1, "T"])]
    proto = model(nodes, inputs, [Y, value("z", None)], {"w": np.ones((2, 3, 1, 1), F32)})
    errors = _errors(save(tmp_path, proto))
    places = " ".join(error.where for error in errors)
    for name in ("Det_a", "Conv_b", "LpNormalization_c", "LpNormalization_y", "input unused"):
        assert name in places
    assert "Relu_d" not in places
    assert "opset 17" in places


def test_nodes_behind_a_refused_one_are_judged(tmp_path: Path) -> None:
    """Where the shape behind a refused node is stated or follows, its readers are judged, too."""
    nodes = [
        node("Det", ["x"], ["a"]),
        node("Conv", ["a", "w"], ["b"], kernel_shape=[9, 9]),
        node("LpNormalization", ["x"], ["c"], p=3),
        node("MatMul", ["c", "x"], ["d"]),
        node("MatMul", ["d", "c"], ["y"]),
    ]
    outputs = [Y, value("b", None)]
    proto = model(nodes, [value("x", [1, 3, 8, 8])], outputs, {"w": np.ones((2, 3, 9, 9), F32)})
    proto.graph.value_info.append(value("a", [1, 3, 8, 8]))
    places = [error.where.split()[0] for error in _errors(save(tmp_path, proto))]
    assert ["Conv_b", "Det_a", "LpNormalization_c"] == sorted(places)


def test_mutations_never_crash(tmp_path: Path) -> None:
    """Files with flipped, cut and repeated bytes import or are refused, nothing else."""
    chance = random.Random(11)
    sources = [VALID, quantized(F32(0.5), np.int8(3)).SerializeToString()]
    sources += [HOSTILE[k][0].SerializeToString() for k in ("gather behind the end", "huge Pad")]
    refused = 0
    for round_ in range(600):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(3)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                del data[at : at + chance.randint(1, 8)]
            else:
                data[at:at] = data[at : at + chance.randint(1, 8)]
        try:
            load_model(save(tmp_path, bytes(data), f"m{round_ % 2}.onnx"))
        except (McuplanError, Problems):
            refused += 1
    assert 100 < refused < 600


def test_large_graph_is_read_in_linear_time(tmp_path: Path) -> None:
    """Ten times the nodes take about ten times as long."""
    seconds = []
    for count in (300, 3000):
        nodes = [node("Gemm", [f"t{i}", "w"], [f"t{i + 1}"]) for i in range(count)]
        proto = model(
            nodes,
            [value("t0", [1, 4])],
            [value(f"t{count}", None)],
            {"w": np.eye(4, dtype=F32)},
        )
        path = save(tmp_path, proto)
        start = time.process_time()
        graph = load_model(path).graph
        seconds.append(time.process_time() - start)
        assert count == len(graph.nodes)
    assert seconds[1] < 40 * max(seconds[0], 0.02)


@pytest.mark.parametrize(("count", "votes"), [(30_000, 1), (1, 30_000)])
def test_trees_are_read_in_linear_time(count: int, votes: int, tmp_path: Path) -> None:
    """Tens of thousands of trees, or of votes of one leaf, take no square of them."""
    path = save(tmp_path, trees(count, votes, votes))
    start = time.process_time()
    (trees_node,) = load_model(path).graph.nodes[:1]
    trees_node.op.cost((TensorType((1, 4)),), (TensorType((1, votes)),))
    assert time.process_time() - start < 8


def test_identities_of_trees_are_whole_numbers(tmp_path: Path) -> None:
    """Numbers of trees that are one in double are two."""
    ids = [2**62, 2**62 + 1]
    path = save(tmp_path, trees(2, nodes_treeids=ids, target_treeids=ids))
    graph = load_model(path).graph
    made = evaluate(graph, {graph.inputs[0].tensor: np.zeros((1, 4), F32)})
    assert 2.0 == made[graph.outputs[0].tensor].item()


def test_many_inputs_and_functions_are_read_in_linear_time(tmp_path: Path) -> None:
    """Thousands of inputs beside thousands of functions take no product of the two."""
    count = 2000
    nodes = [node("Relu", [f"x{i}"], [f"y{i}"]) for i in range(count)]
    proto = model(
        nodes,
        [value(f"x{i}", [1, 2]) for i in range(count)],
        [value(f"y{i}", None) for i in range(count)],
    )
    body = [helper.make_node("Relu", ["a"], ["b"])]
    for i in range(count):
        imports = [helper.make_opsetid("", 17)]
        proto.functions.append(helper.make_function("local", f"f{i}", ["a"], ["b"], body, imports))
    path = save(tmp_path, proto)
    start = time.process_time()
    assert count == len(load_model(path).graph.inputs)
    assert time.process_time() - start < 4
