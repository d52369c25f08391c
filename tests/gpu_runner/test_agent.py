"""The agent answers whatever the notebook holds, and is still there for the next request."""

from __future__ import annotations

import ast
import random
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gpu_runner import agent, tensors
from gpu_runner.channel import Channel, Stopped
from gpu_runner.errors import BadReply, NameMissing, StudentCodeError
from gpu_runner.tensors import HandleRef
from gpu_runner.testing import in_process, in_subprocess

NOTEBOOK = """
import torch
scale = 2.5
def double(x): return 2 * x
def fails(): raise ValueError("my own words")
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
    def forward(self, x): return self.layer(x)
net = Net()
table = {"a": [1, 2], "net": net}
class Strange(Exception):
    def __str__(self): raise RuntimeError("no")
class Shy:
    @property
    def secret(self): raise KeyError("hidden")
shy = Shy()
def strange(): raise Strange()
def leave(): raise SystemExit(3)
def give_up(): raise KeyboardInterrupt
def count():
    yield 1
    yield 2
def deep(): return deep()
def sparse(): return torch.eye(3).to_sparse()
class Odd(dict):
    def items(self): raise RuntimeError("no")
odd = Odd(a=1)
"""


@pytest.fixture
def channel() -> Iterator[Channel]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(NOTEBOOK, "<cell 1>", "exec"), namespace)
    with in_process(namespace) as channel:
        yield channel


def test_data_comes_by_value_and_other_objects_as_handles(channel: Channel) -> None:
    assert channel.get("scale") == 2.5
    table = channel.get("table")
    assert table["a"] == [1, 2]
    assert isinstance(table["net"], HandleRef)
    assert (table["net"].type_name, table["net"].callable) == ("Net", True)
    assert channel.get("net") == table["net"]
    assert "scale" in channel.names()


def test_a_function_is_called_by_name_or_handle(channel: Channel) -> None:
    assert channel.call("double", [3]) == 6
    assert channel.call(channel.get("double"), [], {"x": "ab"}) == "abab"
    assert torch.equal(channel.call("double", [torch.ones(2)]), torch.full((2,), 2.0))


def test_a_missing_name_is_told_from_a_name_error_within(channel: Channel) -> None:
    with pytest.raises(NameMissing) as caught:
        channel.get("nothing")
    assert caught.value.name == "nothing"


def test_an_exception_comes_with_only_the_notebooks_lines(channel: Channel) -> None:
    with pytest.raises(StudentCodeError) as caught:
        channel.call("fails")
    assert (caught.value.type_name, caught.value.message) == ("ValueError", "my own words")
    assert "fails" in caught.value.traceback
    assert "agent.py" not in caught.value.traceback and "_answer" not in caught.value.traceback


@pytest.mark.parametrize(
    ("name", "type_name"),
    [("strange", "Strange"), ("leave", "SystemExit"), ("give_up", "KeyboardInterrupt"), ("deep", "RecursionError")],
)
def test_it_survives_whatever_is_raised(channel: Channel, name: str, type_name: str) -> None:
    with pytest.raises(StudentCodeError) as caught:
        channel.call(name)
    assert caught.value.type_name == type_name
    assert channel.get("scale") == 2.5


def test_a_value_that_cannot_cross_is_refused_and_the_next_request_answered(channel: Channel) -> None:
    with pytest.raises(BadReply, match="sparse"):
        channel.call("sparse")
    assert channel.get("odd") == {"a": 1}


def test_attributes_items_operators_iteration_and_length(channel: Channel) -> None:
    net = channel.get("net")
    weight = channel.getattr(channel.getattr(net, "layer"), "weight")
    assert type(weight) is torch.Tensor and weight.shape == (2, 3)
    channel.setattr(net, "mark", [1])
    assert channel.getattr(net, "mark") == [1]
    with pytest.raises(StudentCodeError, match="KeyError"):
        channel.getattr(channel.get("shy"), "secret")
    iterator = channel.iterate(channel.call("count"))
    assert [channel.next(iterator), channel.next(iterator)] == [1, 2]
    with pytest.raises(Stopped):
        channel.next(iterator)
    layers = channel.call(channel.library("torch.nn.Sequential"), [net])
    assert channel.len(layers) == 1
    assert channel.getitem(layers, 0) == net
    channel.setitem(layers, 0, net)
    assert channel.operate("mul", 6, 7) == 42
    with pytest.raises(StudentCodeError, match="no operator"):
        channel.operate("attrgetter", "x")
    with pytest.raises(StudentCodeError, match="not offered"):
        channel.library("os.system")


def test_a_state_dict_crosses_both_ways(channel: Channel) -> None:
    net = channel.get("net")
    state = {"layer.weight": torch.zeros(2, 3), "layer.bias": torch.ones(2)}
    channel.call(channel.getattr(net, "load_state_dict"), [state])
    assert torch.equal(channel.call(net, [torch.ones(1, 3)]).detach(), torch.ones(1, 2))
    assert torch.equal(channel.call(channel.getattr(net, "state_dict"))["layer.bias"], torch.ones(2))


def test_released_handles_are_let_go_and_shared_ones_kept() -> None:
    session = agent.Session(socket.socket(), {})
    thing = object()
    first, second = session._handle(thing), session._handle(thing)
    assert first.id == second.id
    session.release(first.id)
    assert session._object(first) is thing
    session.release(first.id, 99)
    with pytest.raises(LookupError):
        session._object(first)
    session.sock.close()


def test_seeding_repeats_every_generator(channel: Channel) -> None:
    def draw() -> tuple[float, float, float]:
        channel.seed(2**62 + 5)
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    assert draw() == draw()


def test_a_name_is_replaced_by_data_or_by_another_object(channel: Channel) -> None:
    channel.put("double", channel.get("net"))
    assert channel.get("double") == channel.get("net")
    channel.put("scale", torch.ones(1))
    assert torch.equal(channel.get("scale"), torch.ones(1))


def test_it_runs_as_a_plain_file_beside_tensors_without_the_package(tmp_path: Path) -> None:
    for module in (agent, tensors):
        shutil.copy(str(module.__file__), tmp_path)
    code = """
        import socket, sys
        sys.path.insert(0, sys.argv[2])
        import agent
        assert "gpu_runner" not in sys.modules and "torch" not in sys.modules
        agent.serve(socket.socket(fileno=int(sys.argv[1])), {"f": lambda x: x + 1, "x": 1})
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", "-S", "-c", textwrap.dedent(code), str(theirs.fileno()), str(tmp_path)]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        channel = Channel(ours, interrupt=lambda: None, death=lambda: None, max_message_bytes=2**20)
        assert channel.call("f", [channel.get("x")]) == 2
        channel.close()
        assert process.wait(timeout=30) == 0


def test_the_socket_is_not_inherited_by_the_notebooks_children() -> None:
    source = (
        "import os\ndef count():\n    import subprocess, sys\n"
        "    code = 'import os; print(len(os.listdir(\"/proc/self/fd\")))'\n"
        "    return int(subprocess.run([sys.executable, '-c', code], capture_output=True, close_fds=False).stdout)\n"
    )
    with in_subprocess(source) as channel:
        assert channel.call("count") <= 4  # its three standard streams and the listing itself


@pytest.mark.parametrize("module", [agent, tensors])
def test_the_files_of_the_sandbox_keep_to_older_pythons_syntax(module: Any) -> None:
    """Students' environments may have an older Python than ours."""
    ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 9))
