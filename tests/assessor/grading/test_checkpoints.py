"""Weights that were handed in: opened by the student's process in its sandbox, put into the reference on this side."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from torch import Tensor, nn

from assessor.grading.checkpoints import load_into, state_of
from assessor.grading.grade import grade
from assessor.grading.proxy import Student, checkpoint
from assessor.grading.results import Bundle, Verdict
from assessor.grading.tolerances import WrongAnswer
from gpu_runner.errors import BadReply, KernelDied, StudentTimeout
from gpu_runner.execution import MIB, Limits
from gpu_runner.notebook import open_kernel
from gpu_runner.testing import in_process

LIMITS = Limits(memory_bytes=1536 * MIB, message_bytes=64 * MIB)
NOTEBOOK = """
import os, torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(4, 3), nn.Linear(3, 2)
torch.manual_seed(3)
net = Net()
state = net.state_dict()
class Setting: pass
torch.save(net, "module.pth")
optimiser = torch.optim.Adam(net.parameters())
torch.save({"model": net, "epoch": 5, "setting": Setting(), "optimizer": optimiser.state_dict()}, "all.pt")
torch.save(state, "old.pth", _use_new_zipfile_serialization=False)
torch.save({"w": torch.zeros(1).expand(10**9)}, "expanded.pth")
torch.save({"w": torch.eye(3).to_sparse()}, "sparse.pth")
torch.save({"epoch": 3}, "empty.pth")
os.makedirs("deep")
torch.save(state, "deep/weights.pth")
os.symlink("deep/weights.pth", "link.pth")
os.symlink("/etc/passwd", "passwd.pth")
os.symlink("deep", "linked")
open("closed.pth", "wb").close()
os.chmod("closed.pth", 0)
os.truncate(os.open("sparse_file.pth", os.O_CREAT | os.O_RDWR), 100 * 2**20)
os.chdir("/tmp")
"""


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


class Bomb:
    """Opening it is running it."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> Any:
        return exec, (self.code,)


WEIGHTS = {"w": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.bfloat16), "count": torch.tensor(7)}
ONE = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
SAFE = safetensors(
    {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "half": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
        "count": {"dtype": "I64", "shape": [], "data_offsets": [28, 36]},
        "none": {"dtype": "F64", "shape": [0, 4], "data_offsets": [36, 36]},
    },
    struct.pack("<6f", *range(6)) + b"\x80\x3f" * 2 + struct.pack("<q", 7),
)
FILES = {
    "weights.pth": saved(WEIGHTS),
    "weights.safetensors": SAFE,
    "cut.pth": saved(WEIGHTS)[:-300],
    "cut.safetensors": SAFE[:-4],
    "nothing.pth": b"",
    "nothing.safetensors": b"",
    "text.pth": b"these are my weights",
    "list.pth": saved([1, 2]),
    "huge_shape.safetensors": safetensors({"w": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}, b"\0" * 8),
    "huge_header.safetensors": safetensors(b"{}", length=10**9),
    "negative.safetensors": safetensors({"w": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, b"\0" * 8),
    "backwards.safetensors": safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, b"\0" * 8),
    "dtype.safetensors": safetensors({"w": {"dtype": "Tensor", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 8),
    "deep.safetensors": safetensors(b"[" * 200_000),
    "raises.pth": pickle.dumps(Bomb("raise ValueError('boo' + chr(10) + 'hoo')")),
    "leaves.pth": pickle.dumps(Bomb("raise SystemExit(0)")),
    "unknown_class.pth": pickle.dumps(Bomb("")).replace(b"exec", b"exek"),
}  # fmt: skip
BOMBS = {
    "exits.pth": pickle.dumps(Bomb("import os; os._exit(0)")),
    "loops.pth": pickle.dumps(Bomb("while True: pass")),
    "eats.pth": pickle.dumps(Bomb("x = [bytearray(2**26) for _ in range(100)]")),
}


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    with open_kernel(LIMITS, files=FILES, seed=1) as kernel:
        run = kernel.run(new_notebook(cells=[new_code_cell(NOTEBOOK)]))
        assert not run.raised, run.raised
        channel = kernel.serve()
        channel.begin(60)
        yield Student(channel)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return list(a) == list(b) and all(
        type(a[name]) is Tensor and a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


def test_a_state_dict_crosses_as_plain_tensors(student: Student) -> None:
    assert same(checkpoint(student, "weights.pth"), WEIGHTS)


def test_safetensors_are_read_without_the_package(student: Student) -> None:
    found = checkpoint(student, "weights.safetensors")
    assert found.pop("none").shape == (0, 4)
    assert same(found, WEIGHTS)


@pytest.mark.parametrize("name", ["module.pth", "old.pth", "deep/weights.pth", "./deep/../deep/weights.pth"])
def test_modules_old_formats_and_folders_give_the_state(student: Student, name: str) -> None:
    assert same(checkpoint(student, name), dict(student.state))


def test_of_a_training_checkpoint_everything_but_objects_crosses(student: Student) -> None:
    found = checkpoint(student, "all.pt")
    assert same(found["model"], dict(student.state))
    assert found["epoch"] == 5
    assert "setting" not in found
    assert found["optimizer"]["param_groups"][0]["lr"] == 0.001
    assert not any(value.requires_grad for value in found["model"].values())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.pth", "there is no file 'missing.pth'"),
        ("cut.pth", "cannot be opened"),
        ("cut.safetensors", "count has other bytes than its shape says"),
        ("nothing.pth", "cannot be opened: EOFError"),
        ("nothing.safetensors", "cannot be opened"),
        ("text.pth", "cannot be opened"),
        ("list.pth", "holds no dict of tensors"),
        ("empty.pth", "holds no dict of tensors"),
        ("huge_shape.safetensors", "w has other bytes than its shape says"),
        ("huge_header.safetensors", "header"),
        ("negative.safetensors", "w has other bytes"),
        ("backwards.safetensors", "w has other bytes"),
        ("dtype.safetensors", "KeyError"),
        ("deep.safetensors", "RecursionError"),
        ("raises.pth", "ValueError: boo hoo"),
        ("leaves.pth", "SystemExit"),
        ("unknown_class.pth", "AttributeError"),
        ("expanded.pth", "4000000000 bytes or more"),
        ("sparse.pth", "tensor does not cross: make it dense"),
        ("sparse_file.pth", "has 104857600 bytes"),
        ("closed.pth", "PermissionError"),
        ("link.pth", "link or lies outside"),
        ("linked/weights.pth", "link or lies outside"),
        ("passwd.pth", "link or lies outside"),
        ("../../etc/passwd", "link or lies outside"),
        ("/etc/passwd", "link or lies outside"),
        ("deep", "is not a file"),
        (".", "link or lies outside"),
        ("", "not a text"),
        ("a\0b", "not a text"),
        ("x" * 300, "not a text"),
        (7, "not a text"),
    ],
    ids=lambda part: str(part)[:24].replace("\0", "0"),
)
def test_a_bad_file_is_the_students_fault_in_one_line(student: Student, name: Any, reason: str) -> None:
    with pytest.raises(BadReply) as caught:
        checkpoint(student, name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert student.net is not None  # and the kernel lives on


@pytest.mark.parametrize(
    ("name", "fault"), [("exits.pth", KernelDied), ("loops.pth", StudentTimeout), ("eats.pth", (KernelDied, BadReply))]
)
def test_a_bomb_hurts_nobody_but_its_own_sandbox(name: str, fault: Any) -> None:
    with open_kernel(LIMITS, files=BOMBS, seed=1) as kernel:
        kernel.run(new_notebook(cells=[new_code_cell("import torch")]))
        channel = kernel.serve()
        channel.grace_seconds = 1
        channel.begin(3 if name == "loops.pth" else 60)
        with pytest.raises(fault):
            checkpoint(Student(channel), name)


def test_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox lets nobody make one; on a student's own machine it may be there."""
    os.mkfifo(tmp_path / "pipe.pth")
    monkeypatch.chdir(tmp_path)
    with in_process({"__name__": "__main__"}) as channel, pytest.raises(BadReply, match="is not a file"):
        checkpoint(Student(channel), "pipe.pth")


def test_nothing_is_unpickled_on_this_side(tmp_path: Path) -> None:
    """A notebook that answers for the agent: its torch.load gives objects that lie; what arrives is data or nothing."""
    mark = tmp_path / "opened"
    forged = """
import torch
class Everything(dict):
    def __eq__(self, other): return True
class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *a, **k): return True
torch.load = lambda *a, **k: Everything(w=torch.ones(2).as_subclass(Liar), o=open, f=[open, 1])
"""
    bomb = pickle.dumps(Bomb(f"open({os.fspath(mark)!r}, 'w')"))
    with open_kernel(LIMITS, files={"weights.pth": bomb}, seed=1) as kernel:
        kernel.run(new_notebook(cells=[new_code_cell(forged)]))
        channel = kernel.serve()
        channel.begin(30)
        found = checkpoint(Student(channel), "weights.pth")
    assert type(found) is dict and same({"w": found["w"]}, {"w": torch.ones(2)})
    assert found["f"] == [1] and "o" not in found
    assert not mark.exists()


class Reference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.norm, self.head = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)


def trained() -> dict[str, Tensor]:
    torch.manual_seed(5)
    state = Reference().state_dict()
    return {name: torch.rand_like(value) if value.is_floating_point() else value for name, value in state.items()}


def renamed(state: dict[str, Tensor], **names: str) -> dict[str, Tensor]:
    changed = {}
    for name, value in state.items():
        layer, _, rest = name.partition(".")
        changed[f"{names.get(layer, layer)}.{rest}"] = value
    return changed


@pytest.mark.parametrize(
    "given",
    [
        trained(),
        dict(reversed(trained().items())),
        {f"module._orig_mod.{name}": value for name, value in trained().items()},
        renamed(trained(), hidden="fc1", norm="bn", head="out"),
        {"model_state_dict": trained(), "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "epoch": 3},
        {"model": trained(), "ema": trained()},
        {name: value for name, value in trained().items() if not name.endswith("num_batches_tracked")},
        {name: value.double() if value.is_floating_point() else value for name, value in trained().items()},
    ],
    ids=["names", "other order", "prefix", "other names", "nested", "two states", "no counter", "float64"],
)  # fmt: skip
def test_a_checkpoint_is_put_into_the_reference(given: dict[str, Any]) -> None:
    net = Reference()
    places = load_into(net, given)
    wanted = trained()
    assert set(places) >= {name for name in wanted if not name.endswith("num_batches_tracked")}
    for name, value in net.state_dict().items():
        assert torch.equal(value, wanted[name]), name


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({name: value for name, value in trained().items() if name != "head.bias"}, "missing head.bias (2,)"),
        ({**trained(), "extra.weight": torch.ones(7)}, "unexpected extra.weight (7,)"),
        ({**trained(), "head.weight": torch.ones(5, 3)}, "head.weight has shape (5, 3), not (2, 3)"),
        ({**trained(), "head.weight": torch.ones(3, 2)}, "head.weight has shape (3, 2), not (2, 3)"),
        ({f"module.{name}": value for name, value in trained().items() if name != "head.bias"}, "missing head.bias"),
        ({**trained(), "head.bias": torch.ones(2, dtype=torch.int64)}, "head.bias in your checkpoint is int64"),
        ({**trained(), "head.bias": torch.ones(2, dtype=torch.complex64)}, "complex64, where float32"),
        ({"epoch": 3}, "names no tensors"),
        ({1: torch.ones(2)}, "names no tensors"),
        ({"a": trained(), "b": trained()}, "found a, b with tensors"),
        ({f"layer{number}.weight": torch.ones(1) for number in range(1000)}, "and 994 more"),
        ({"x" * 10_000 + "\n": torch.ones(1)}, "…"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_does_not_fit_is_said_in_one_line_and_changes_nothing(given: dict[Any, Any], line: str) -> None:
    net = Reference()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(WrongAnswer) as caught:
        load_into(net, given)
    assert line in caught.value.for_student
    assert "\n" not in caught.value.for_student and len(caught.value.for_student) < 2000
    assert same(dict(net.state_dict()), before)


def test_names_that_agree_are_kept_and_the_rest_goes_by_shape() -> None:
    """Three layers of one shape: two keep their names, in another order, and one was called otherwise."""
    net = nn.ModuleDict({name: nn.Linear(1, 1, bias=False) for name in ("first", "second", "third")})
    given = {f"{name}.weight": torch.full((1, 1), value) for name, value in (("third", 3.0), ("zeroth", 1.0), ("second", 2.0))}
    places = load_into(net, given)
    assert places == {"first.weight": "zeroth.weight", "second.weight": "second.weight", "third.weight": "third.weight"}
    assert [value.item() for value in net.state_dict().values()] == [1, 2, 3]


def test_layers_numbered_otherwise_go_by_shape_and_swapped_ones_do_not_fit() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    other = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    load_into(net, other.state_dict())
    assert torch.equal(net[2].weight, other[4].weight)
    swapped = {"0.weight": net[2].weight, "2.weight": net[0].weight, "0.bias": net[2].bias, "2.bias": net[0].bias}
    with pytest.raises(WrongAnswer, match=r"0.weight has shape \(2, 3\), not \(3, 4\)"):
        load_into(net, {f"model.{name}": value.detach() for name, value in swapped.items()})


HIDDEN = """
import torch
import pytest
from assessor.grading.checkpoints import load_into
from assessor.grading.proxy import checkpoint
from assessor.grading.tolerances import assert_close_to

@pytest.mark.marks(2)
def test_weights(student, reference):
    '''Your weights solve the task.'''
    net = reference.Net()
    load_into(net, checkpoint(student, "weights.pth"))
    assert_close_to(net(torch.ones(1, 3)).detach(), torch.full((1, 1), 6.0))
"""


@pytest.mark.parametrize(
    ("handed_in", "verdict", "message"),
    [
        ({"w": torch.full((1, 3), 2.0)}, Verdict.PASSED, ""),
        ({"w": torch.zeros(1, 3)}, Verdict.FAILED, "your result"),
        ({"w": torch.zeros(3, 3)}, Verdict.FAILED, "does not fit the architecture asked for"),
        (None, Verdict.BAD_REPLY, "there is no file 'weights.pth'"),
        (b"PK\x03\x04 not really", Verdict.BAD_REPLY, "'weights.pth' cannot be opened"),
    ],
    ids=["right", "wrong", "misfit", "missing", "damaged"],
)
def test_a_submission_with_weights_is_graded(tmp_path: Path, handed_in: Any, verdict: Verdict, message: str) -> None:
    source, grader = tmp_path / "source", tmp_path / "grader"
    source.mkdir()
    grader.mkdir()
    (grader / "test_weights.py").write_text(HIDDEN)
    (grader / "reference.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(3, 1, bias=False)\n"
    )
    lab = nbformat.writes(new_notebook(cells=[new_code_cell("import torch")]))
    (source / "lab.ipynb").write_text(lab)
    files = {} if handed_in is None else {"weights.pth": handed_in if isinstance(handed_in, bytes) else saved(handed_in)}
    bundle = Bundle(1, "tiny", {"lab.ipynb": lab.encode()}, files, source=source, grader=grader, limits=LIMITS, seed=3)
    (result,) = grade(bundle).tests
    assert result.verdict is verdict, result
    assert message in result.message
    assert result.points == (2 if verdict is Verdict.PASSED else 0)


def test_thousands_of_tensors_and_names_of_a_million_dots_are_no_trouble() -> None:
    net = nn.ParameterList(torch.zeros(1) for _ in range(5000))
    places = load_into(net, {f"a.{number}.w": torch.ones(1) for number in range(5000)})
    assert len(places) == 5000 and net[4999].item() == 1
    dotted = "." * 10**6
    assert load_into(nn.Linear(1, 1, bias=False), {dotted: torch.ones(1, 1)}) == {"weight": dotted}
    assert len(state_of({"state_dict": {"w": torch.ones(1)}})) == 1
