"""The codec: what goes in comes out, and nothing that a stranger writes can do more than be refused."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from collections import OrderedDict, namedtuple
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from gpu_runner import tensors
from gpu_runner.tensors import PREFIX, HandleRef, Malformed, Refused

BIG = 2**30


def to_bytes(value: Any, **options: Any) -> bytes:
    frame = tensors.encode(value, **options)
    raw = b"".join(bytes(part) for part in frame.parts)
    assert len(raw) == frame.size_bytes
    return raw


def from_bytes(raw: bytes, **options: Any) -> Any:
    header, payload = tensors.read_prefix(raw[: PREFIX.size], BIG)
    assert len(raw) == PREFIX.size + header + payload
    return tensors.decode(raw[PREFIX.size : PREFIX.size + header], raw[PREFIX.size + header :], **options)


def round_trip(value: Any) -> Any:
    return from_bytes(to_bytes(value))


def same(a: Any, b: Any) -> bool:
    """Equal in type, shape and every bit, NaN included."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a.items(), b.items(), strict=True))
    if isinstance(a, np.ndarray | np.generic):
        native = b.astype(b.dtype.newbyteorder("="))  # big-endian arrays arrive in this machine's order
        return a.dtype == native.dtype and a.shape == b.shape and a.tobytes() == native.tobytes()
    return bool(a == b)


keys = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
values = st.recursive(
    keys
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=400)
    | st.binary(max_size=2000)
    | npst.arrays(npst.boolean_dtypes() | npst.integer_dtypes() | npst.floating_dtypes(sizes=(16, 32, 64)), (2, 3))
    | npst.arrays(npst.complex_number_dtypes(sizes=(64, 128)), npst.array_shapes())
    | npst.arrays(npst.unicode_string_dtypes(max_len=5), npst.array_shapes())
    | st.sets(keys, max_size=4),
    lambda inner: st.lists(inner, max_size=5) | st.tuples(inner) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_every_value_survives_a_round_trip(value: Any) -> None:
    back = round_trip(value)
    assert same(back, value) or (isinstance(value, set | frozenset) and back == value)


@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
@pytest.mark.parametrize("name", sorted(tensors.ITEM_BYTES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (4, 5), (2, 3, 4)])
def test_tensors_of_every_dtype_and_shape_survive(name: str, shape: tuple[int, ...]) -> None:
    dtype = getattr(torch, name)
    count = math.prod(shape) * dtype.itemsize
    raw = torch.randint(0, 2 if name == "bool" else 256, (count,), dtype=torch.uint8)
    value = raw.view(dtype).reshape(shape) if count else torch.empty(shape, dtype=dtype)
    back = round_trip(value)
    assert type(back) is torch.Tensor
    assert (back.dtype, back.shape, back.device.type) == (dtype, value.shape, "cpu")
    assert torch.equal(back.reshape(-1).view(torch.uint8), value.reshape(-1).view(torch.uint8)) if count else True


def test_non_contiguous_conjugated_and_expanded_tensors_survive() -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    for value in (base.permute(2, 0, 1), base[:, ::2, 1:], torch.ones(1).expand(5), base.flip(0)):
        assert torch.equal(round_trip(value), value)
    z = torch.tensor([1 + 2j, 3 - 1j])
    assert torch.equal(round_trip(z.conj()), z.conj().resolve_conj())
    assert torch.equal(round_trip(z.conj().imag), torch.tensor([-2.0, 1.0]))


def test_texts_of_no_width_survive() -> None:
    empty = np.zeros(3, np.dtype([("text", "U0")]))["text"]
    assert empty.dtype.itemsize == 0
    assert round_trip(empty).tolist() == ["", "", ""]


@pytest.mark.parametrize("make", [torch.ones, np.ones])
def test_a_large_value_of_a_payload_given_away_lies_in_it_and_a_small_one_does_not(make: Any) -> None:
    count = tensors.LARGE_BYTES // 4
    values = [make(count), make(1)]
    values = [value.float() if make is torch.ones else value.astype(np.float32) for value in values]
    raw = to_bytes(values)
    header, _ = tensors.read_prefix(raw[:16], BIG)
    payload = tensors.room(len(raw) - 16 - header)
    payload[:] = raw[16 + header :]
    large, small = tensors.decode(raw[16 : 16 + header], payload, owned=True)
    payload[:4] = payload[-4:] = b"\0\0\0\0"
    assert (float(large[0]), float(large[1]), float(small[0])) == (0.0, 1.0, 1.0)
    assert (large.data_ptr() if make is torch.ones else large.ctypes.data) % tensors.ALIGNMENT == 0
    del payload
    large[:] = 2  # it keeps its memory, and may write there
    assert float(large.sum()) == 2 * count
    after_a_byte = json.dumps(["t", ["b", 1], ["T", "float32", [count], "cpu", False]]).encode()
    askew = tensors.decode(after_a_byte, b"x" + raw[16 + header :][: 4 * count], owned=True)[1]
    assert askew.data_ptr() % tensors.ALIGNMENT == 0


def test_requires_grad_is_kept_and_the_graph_is_not() -> None:
    weight = torch.ones(2, requires_grad=True)
    back = round_trip(weight * 2)
    assert back.requires_grad and back.is_leaf
    assert not round_trip(torch.ones(2)).requires_grad


def test_the_device_is_noted_and_the_trusted_copy_lies_on_the_cpu() -> None:
    header = json.dumps(["T", "float32", [2], "cuda:1", False]).encode()
    tensor = tensors.decode(header, bytearray(8))
    assert tensor.device.type == "cpu"
    assert tensors.device_of(tensor) == "cuda:1"
    assert tensors.device_of(torch.ones(1)) == "cpu"


def test_what_is_decoded_does_not_share_memory_with_the_message() -> None:
    raw = to_bytes([torch.ones(4), np.ones(4)])
    header, _ = tensors.read_prefix(raw[:16], BIG)
    payload = bytearray(raw[16 + header :])
    tensor, array = tensors.decode(raw[16 : 16 + header], payload)
    payload[:] = b"\0" * len(payload)
    assert tensor.sum() == 4 and array.sum() == 4


class Colour(IntEnum):
    RED = 1


class Loud(str):
    def __str__(self) -> str:
        return "loud"


class Always(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return True


class Masked(float):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, 1),
        (Loud("x"), "x"),
        (Pair(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (Masked(2.5), 2.5),
        (bytearray(b"ab"), b"ab"),
        (range(3), [0, 1, 2]),
        (torch.Size([2, 3]), torch.Size([2, 3])),
        (torch.bfloat16, torch.bfloat16),
        (torch.device("cuda:0"), torch.device("cuda:0")),
        (slice(1, None, 2), slice(1, None, 2)),
        (Ellipsis, Ellipsis),
        (np.str_("hi"), np.str_("hi")),
        (np.float32(2), np.float32(2)),
        (HandleRef(3, "Net", True), HandleRef(3, "Net", True)),
    ],
)
def test_subclasses_become_plain_data(value: Any, plain: Any) -> None:
    back = round_trip(value)
    assert type(back) is type(plain)
    assert back == plain


def test_tensor_subclasses_become_plain_tensors() -> None:
    for value in (torch.ones(2).as_subclass(Always), torch.nn.Parameter(torch.ones(2))):
        back = round_trip(value)
        assert type(back) is torch.Tensor
        assert torch.equal(back.detach(), torch.ones(2))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (torch.eye(3).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "meta"),
        (np.array([object()]), "object"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64"),
        (2**5000, "bits"),
        (object(), "not data"),
        ({object(): 1}, "key"),
        ({"a": [lambda: 0]}, "not data"),
        ("x" * (tensors.MAX_TEXT_BYTES + 1), "bytes"),
        ([[]] * (tensors.MAX_ITEMS + 1), "parts"),
        ([""] * 900_000, "parts"),
    ],
    ids=lambda part: part if isinstance(part, str) and len(part) < 40 else "value",
)
def test_what_does_not_cross_is_refused_with_a_reason(value: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        tensors.encode(value)


@pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning")
def test_quantised_tensors_are_refused() -> None:
    with pytest.raises(Refused, match="quantised"):
        tensors.encode(torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8))


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Refused, match="deep"):
        tensors.encode(loop)


def deep(times: int) -> str:
    return '["l",' * times + "1" + "]" * times


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        ("", b""),
        ("{}", b""),
        ("[]", b""),
        ('["?"]', b""),
        ("[1]", b""),
        ('["T"]', b""),
        ("NaN", b""),
        ("Infinity", b""),
        ("1e999", b""),
        ("9" * 400_000, b""),
        ("1.0" + "0" * 100, b""),
        (deep(40), b""),
        (deep(100_000), b""),
        ("[" * 500_000, b""),
        ("1", b"x"),
        ('["b",-1]', b""),
        ('["b",3]', b"ab"),
        ('["b",true]', b"a"),
        ('["b",1.0]', b"a"),
        ('["s",1]', b"\xff"),
        ('["lf",1000000000000]', b""),
        ('["lf",-1]', b""),
        ('["i","zz"]', b""),
        ('["i","0x' + "f" * 5000 + '"]', b""),
        ('["f","1"]', b""),
        ('["c",1,2]', b""),
        ('["T","float32",[2],"cpu",false]', b"\0" * 7),
        ('["T","float32",[2],"cpu",false]', b"\0" * 12),
        ('["T","float32",[-2],"cpu",false]', b""),
        ('["T","float32",[-1,-2],"cpu",false]', b"\0" * 8),
        ('["T","float32",[4611686018427387904,4],"cpu",false]', b""),
        ('["T","float32",[0,4611686018427387],"cpu",false]', b""),
        ('["T","float32",[0,99999999,99999999,99999999],"cpu",false]', b""),
        ('["T","float32",[true],"cpu",false]', b"\0" * 4),
        ('["T","float32",[1],"cpu",0]', b"\0" * 4),
        ('["T","float32",[1],"../cpu",false]', b"\0" * 4),
        ('["T","float32",' + json.dumps([1] * 65) + ',"cpu",false]', b"\0" * 4),
        ('["T","int64",[1],"cpu",true]', b"\0" * 8),
        ('["T","bool",[1],"cpu",false]', b"\2"),
        ('["T","qint8",[1],"cpu",false]', b"\0"),
        ('["T","__class__",[1],"cpu",false]', b"\0"),
        ('["A","object",[1]]', b"\0" * 8),
        ('["A","O",[1]]', b"\0" * 8),
        ('["A","bool",[1]]', b"\7"),
        ('["A","U1",[1]]', b"\xff\xff\xff\xff"),
        ('["A","U99999",[1]]', b""),
        ('["A","U0",[4294967296]]', b""),
        ('["A","U01",[1]]', b"a\0\0\0"),
        ('["A","float64",[1],1]', b"\0" * 8),
        ('["D","Tensor"]', b""),
        ('["V","cup"]', b""),
        ('["z",-1]', b""),
        ('["H",-1,"a",true]', b""),
        ('["H",1,"a",1]', b""),
        ('["H",1,"' + "a" * 300 + '",true]', b""),
        ('["d","a"]', b""),
        ('["d",["l"],1]', b""),
        ('["d","a",1,"a",2]', b""),
        ('["d",1,1,true,2]', b""),
        ('["S",["T","float32",[],"cpu",false]]', b"\0" * 4),
        ('["r",1,2]', b""),
        ('["r",["l"],1,1]', b""),
    ],
    ids=lambda part: repr(part)[:30],
)
def test_a_malformed_message_is_refused(header: str, payload: bytes) -> None:
    with pytest.raises(Malformed):
        tensors.decode(header.encode(), bytearray(payload))


def test_keys_that_were_chosen_to_collide_are_refused_at_once() -> None:
    """hash(-1) == hash(-2), so tuples of them all collide: a dict of 2**14 would take minutes."""
    tuples = [["t", *(-1 - (number >> bit & 1) for bit in range(14))] for number in range(2**13)]
    start = time.process_time()
    with pytest.raises(Malformed, match="collide"):
        tensors.decode(json.dumps(["S", *tuples]).encode())
    assert time.process_time() - start < 20  # not minutes; the bound is far from what it takes


def keys_on_one_chain(bits: int, length: int, number: int) -> list[int]:
    """Ints of different hashes: some fill one chain of probes in a dict of 2**bits slots, the others walk all along it."""
    mask, chain, slot = 2**bits - 1, [], 12345
    order = np.full(2**bits, -1)
    for step in range(length):
        chain.append(slot)
        order[slot] = step
        slot = 5 * slot + 1 & mask
    walkers = rest = np.arange(2**bits, 2 ** (bits + 6))
    slots = walkers & mask
    while True:
        met = order[slots] >= 0
        walkers, rest, slots = walkers[met], rest[met], slots[met]
        if not rest.any():
            return chain + walkers[np.argsort(order[slots])[:number]].tolist()
        rest = rest >> 5
        slots = 5 * slots + rest + 1 & mask


def test_keys_that_were_chosen_to_take_long_are_refused_and_honest_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unbounded, these take seven seconds, and a message twice as long half a minute."""
    honest = {"S": set(range(50_000)), "d": dict.fromkeys(range(40_000))}
    assert round_trip(honest) == honest
    chosen = keys_on_one_chain(17, 50_000, 35_000)
    monkeypatch.setattr(tensors, "MAX_KEY_SECONDS", 0.5)
    with pytest.raises(Malformed, match="collide"):
        tensors.decode(json.dumps(["S", *chosen]).encode())
    with pytest.raises(Malformed, match="collide"):
        tensors.decode(json.dumps(["d", *(part for key in chosen for part in (key, 0))]).encode())


@pytest.mark.parametrize(
    "prefix",
    [
        b"GRC2" + b"\0" * 12,
        PREFIX.pack(b"GRC1", tensors.MAX_HEADER_BYTES + 1, 0),
        PREFIX.pack(b"GRC1", 10, BIG),
        PREFIX.pack(b"GRC1", 10, 2**64 - 1),
    ],
)
def test_a_prefix_that_lies_is_refused(prefix: bytes) -> None:
    with pytest.raises(Malformed):
        tensors.read_prefix(prefix, BIG)


def specimens() -> list[bytes]:
    return [
        to_bytes([1, "value", {"a": torch.ones(2, 3), (1, 2): [None, True, 2.5, "é" * 300]}]),
        to_bytes([2, "value", (np.arange(6).reshape(2, 3), np.array(["ab", "c"]), np.float32(1), {1, 2}, b"xyz")]),
        to_bytes([3, "raised", "ValueError", "no", ""]),
        to_bytes([4, "value", [0.5] * 300, list(range(300)), 2**90, math.nan, 1 + 2j, torch.Size([1]), torch.int8]),
        to_bytes([5, "value", HandleRef(1, "Net", True), slice(1, 2), torch.device("cpu"), torch.ones(0, 2)]),
    ]


def mutated(raw: bytes, source: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(source.randrange(1, 6)):
        place = source.randrange(len(data))
        match source.randrange(5):
            case 0:
                data[place] = source.randrange(256)
            case 1:
                data[place : place + source.randrange(8)] = b""
            case 2:
                data[place:place] = source.choice([b"[", b"]", b"-", b"9", b'"', b",", b"null", b"e9", b'["T"'])
            case 3:
                data[place] ^= 1 << source.randrange(8)
            case _:
                other = source.randrange(len(data))
                data[place : place + 6] = data[other : other + 6]
        if not data:
            return b"["
    return bytes(data)


ODD: list[Any] = [
    -1, 0, 1, 2, 3, 7, 8, 2**31, 2**40, 2**53, 0.5, -0.0, 1e300, None, True, False, "", "x", "cpu", "cuda:0", "float64",
    "bool", "bfloat16", "complex64", "U3", "uint64", [], ["l"], ["e"], ["t", 1], ["T", "bool", [2], "cpu", False],
    ["b", 1], ["lf", 1], ["A", "U1", [1]], ["N", "int8"], ["f", "nan"], ["i", "-0x1"], ["H", 1, "a", True],
    ["d", 1, 2], ["S", 1, 2], ["z", 0, 3],
]  # fmt: skip


def distorted(node: Any, source: random.Random) -> Any:
    """The same tree with one place changed: still JSON, so it reaches the readers."""
    if not isinstance(node, list) or not node or source.random() < 0.1:
        return source.choice(ODD)
    node, place = list(node), source.randrange(len(node))
    match source.randrange(12):
        case 0:
            del node[place]
        case 1:
            node.insert(place, source.choice(ODD))
        case 2:
            node[place] = node[source.randrange(len(node))]
        case 3 if isinstance(node[0], str):
            node[0] = source.choice("ifcsbltSFderTANzDVH")
        case 4:
            node = [*node, *node[1:]]
        case _:
            node[place] = distorted(node[place], source)
    return node


FUZZ_INPUTS = 60_000


@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
def test_the_decoder_answers_every_input_with_a_value_or_malformed() -> None:
    source = random.Random(20260309)
    originals = [(raw[16 : 16 + n], raw[16 + n :]) for raw in specimens() for n in [PREFIX.unpack(raw[:16])[1]]]
    trees = [json.loads(header) for header, _ in originals]
    decoded = 0
    for turn in range(FUZZ_INPUTS):
        which = source.randrange(len(originals))
        header, payload = originals[which]
        match turn % 8:
            case 0:
                header = source.randbytes(source.randrange(64))
            case 1 | 2:
                header, payload = mutated(header, source), mutated(payload or b"\0", source)
            case 3:
                payload = mutated(payload or b"\0", source)
            case _:
                tree = distorted(trees[which], source)
                header = json.dumps(distorted(tree, source) if turn % 2 else tree).encode()
        try:
            tensors.decode(header, payload)
            decoded += 1
        except Malformed:
            pass
    assert FUZZ_INPUTS / 20 < decoded < FUZZ_INPUTS  # it reached the readers, and they refused


def test_it_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, tensors; value = [1, 'a', {2: (3.0, None)}]; frame = tensors.encode(value);"
        "assert tensors.decode(frame.parts[1]) == value; assert not {'torch', 'numpy', 'gpu_runner'} & set(sys.modules)"
    )
    folder = str(Path(tensors.__file__).parent)
    subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {folder!r}); {code}"], check=True)
