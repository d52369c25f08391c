"""Submissions that try to forge a mark, each in a process of its own; every one earns its true score and no more."""

from __future__ import annotations

import pytest

from assessor.grading.results import Verdict

from .conftest import Grade

REFERENCE = """
def mse(y, t): return ((y - t) ** 2).mean()
def accuracy(): return 0.9
"""
TESTS = """
    @pytest.mark.marks(1)
    def test_close(student, reference, rng):
        y, t = torch.randn(8, generator=rng), torch.randn(8, generator=rng)
        assert_close_to(student.mse(y, t), reference.mse(y, t))
    @pytest.mark.marks(1)
    def test_plain(student, reference, rng):
        y, t = torch.randn(8, generator=rng), torch.randn(8, generator=rng)
        assert torch.allclose(torch.as_tensor(student.mse(y, t)), reference.mse(y, t))
    @pytest.mark.marks(1)
    def test_equal(student): assert student.mse(torch.ones(2), torch.zeros(2)) == 1
    @pytest.mark.marks(1)
    def test_order(student): assert student.mse(torch.ones(2), torch.zeros(2)) >= 1
    @pytest.mark.marks(1)
    def test_net(student):
        net = student.Net()
        net.load_state_dict({"weight": torch.full((1, 2), 2.0), "bias": torch.zeros(1)})
        assert_close_to(net(torch.ones(1, 2)), torch.full((1, 1), 4.0))
"""

LIAR = """
class Liar:
    def yes(self, *others): return True
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __bool__ = __contains__ = yes
    def zero(self, *others): return 0.0
    __sub__ = __rsub__ = __abs__ = zero
    __hash__ = object.__hash__
    def __call__(self, *a, **k): return Liar()
    def __getattr__(self, name): return Liar()
    @classmethod
    def __torch_function__(cls, *a, **k): return True
"""

ATTACKS = {
    "objects that always agree": LIAR + "mse = Net = Liar()",
    "a function that returns a liar": LIAR + "def mse(*a): return Liar()\ndef Net(): return Liar()",
    "a tensor subclass": """
import torch
class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *a, **k): return True
    def __eq__(self, other): return True
def mse(*a): return torch.zeros(()).as_subclass(Yes)
class Net:
    def load_state_dict(self, state): pass
    def __call__(self, x): return torch.zeros(1, 1).as_subclass(Yes)
""",
    "a float that equals all": """
class F(float):
    def __eq__(self, other): return True
    def __ge__(self, other): return True
def mse(*a): return F(0.25)
""",
    "patched libraries": """
import builtins, math, pickle, sys, numpy, torch
torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *a, **k: None
math.isclose = lambda *a, **k: True
numpy.allclose = lambda *a, **k: True
torch.Tensor.__eq__ = lambda *a: True
builtins.isinstance = lambda *a: True
sys.modules["pytest"] = sys.modules["assessor"] = None
def mse(*a): return 0.0
""",
    "nan": "def mse(*a): return float('nan')",
    "infinity": "def mse(*a): return [float('inf')]",
    "printing success": "print('all tests passed')\nprint(1.0)\ndef mse(*a): return 'passed'",
    "reading frames and memory for the expected value": """
import gc, sys
def mse(y, t):
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if isinstance(value, float): return value
        for name in ("expected", "reference", "secret"):
            if name in frame.f_locals: return frame.f_locals[name]
        frame = frame.f_back
    return next((o for o in gc.get_objects() if type(o) is float), 0.5)
""",
    "patching the agent to answer by itself": """
import sys
def mse(*a):
    from gpu_runner import agent
    agent.Session.call = lambda *a: 0.5
    agent.Session.seed = lambda *a: True
    return 0.5
""",
    "patching the codec": """
def mse(*a):
    from gpu_runner import tensors
    real = tensors.encode
    tensors.encode = lambda value, *a: real([value[0], "value", True])
    return 1.5
""",
    "answering the next requests in advance": """
import os, socket
def mse(*a):
    for name in os.listdir("/proc/self/fd"):
        try:
            sock = socket.socket(fileno=os.dup(int(name)))
            sock.getpeername()
        except OSError:
            continue
        for number in range(2, 40):
            header = ('["l",%d,"value",1]' % number).encode()
            sock.sendall(b"GRC1" + len(header).to_bytes(4, "big") + bytes(8) + header)
    return 0.0
""",
    "ten gigabytes": """
import torch
def mse(*a): return torch.zeros(1).expand(10 * 2**28)
""",
    "a list that never ends": """
class L(list):
    def __iter__(self):
        while True: yield 1.0
def mse(*a): return L([0.5])
""",
    "exiting well": "import os\ndef mse(*a): os._exit(0)",
    "a generator of truths": "def mse(*a):\n    while True: yield True",
    "a str that is a number": "class S(str):\n    def __float__(self): return 1.0\ndef mse(*a): return S('1')",
    "partial credit": "import torch\ndef mse(*a): return -1.0\nscore = float('nan')\npoints = torch.tensor(0.0)",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_forger_earns_nothing(grade_with: Grade, name: str) -> None:
    results = grade_with(TESTS, ATTACKS[name], reference=REFERENCE, apart=True)
    assert len(results) == 5
    assert {test: result.points for test, result in results.items() if result.points} == {}
    assert sum(result.out_of for result in results.values()) == 5
    assert all(result.verdict is not Verdict.PASSED for result in results.values())


HONEST_TOO = """
import torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.allclose = lambda *a, **k: False
def mse(y, t): return ((y - t) ** 2).mean()
class Net(torch.nn.Linear):
    def __init__(self): super().__init__(2, 1)
    def __eq__(self, other): return False
    __hash__ = object.__hash__
"""


def test_odd_but_right_code_earns_all(grade_with: Grade) -> None:
    results = grade_with(TESTS, HONEST_TOO, reference=REFERENCE, apart=True)
    assert {test: result.verdict for test, result in results.items() if result.verdict is not Verdict.PASSED} == {}
