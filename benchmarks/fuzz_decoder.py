"""Feeds the trusted decoder with messages that no honest encoder writes: each is a plain value or `Malformed`, soon.

Valid frames of every kind of value are changed where it hurts: the JSON tree (places swapped, doubled, replaced, tags
exchanged, sizes and shapes lied about, deep nesting, a million parts), its text (NaN, Infinity, long numbers, objects with
doubled keys, cut and flipped bytes), the buffers (cut, grown, flipped) and the prefix. Input number i depends on the seed
and i alone: `--only i` repeats one. A crash of the interpreter, an exception other than `Malformed`, an input that takes
longer than HANG_SECONDS, memory asked for beyond ROOM_BYTES, or a decoded value that is not plain ends the run with status 1.

The last line is JSON: {"inputs", "malformed", "decoded", "max_seconds", "rss_growth_mb", "seconds"}. `max_seconds` is the CPU
time of the slowest input, `rss_growth_mb` how far the peak of the resident memory rose after the warm-up.

    python benchmarks/fuzz_decoder.py [--inputs 1000000] [--seed 1] [--only I]
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import math
import random
import re
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import torch

from gpu_runner import tensors
from gpu_runner.tensors import ITEM_BYTES, MAGIC, MAX_HEADER_BYTES, NUMPY_TYPES, PREFIX, HandleRef, Malformed

INPUTS, WARM_UP, SPECIMENS = 1_000_000, 2_000, 400
MAX_FRAME = 2**26
HANG_SECONDS, ROOM_BYTES = 30, 2 * 2**30
HUGE_EVERY = 1_000
"""One input in so many fills the whole header."""
TAGS = ["i", "f", "c", "s", "b", "l", "t", "lf", "li", "S", "F", "d", "e", "r", "T", "A", "N", "z", "D", "V", "H"]
NUMBERS = [
    -(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 4, 7, 8, 16, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**53, 2**62, 2**63,
    10**16, 0.0, -0.0, 0.5, 1e300, 5e-324,
]  # fmt: skip
ODD: list[Any] = [
    *NUMBERS, None, True, False, "", "x", "\ud800", "\0", "cpu", "cuda:0", "cuda:999", "meta", "../cpu", "float64", "bool",
    "bfloat16", "complex32", "float8_e5m2", "qint8", "U3", "U0", "U65536", "U99999", "O", "V8", "__class__", "nan", "inf", "-inf",
    "0x1", "-0x" + "f" * 1024, [], ["l"], ["e"], ["t", 1], ["T", "bool", [2], "cpu", False],
    ["T", "float32", [0, 2**31], "cpu", True],
    ["b", 1], ["b", 2**40], ["s", 4], ["lf", 1], ["li", 10**6], ["A", "U1", [1]], ["A", "uint8", [2**32]], ["N", "int8"],
    ["N", "U65536"], ["f", "nan"], ["i", "-0x1"], ["H", 1, "a", True], ["d", 1, 2], ["d", 1, 2, True, 3],
    ["S", 1, 1.0], ["z", 0, 3],
    ["z", 2**40, 2**40], ["r", 1, None, 2], ["c", 1.0, ["f", "nan"]], ["V", "cuda:7"], ["V", "xpu"], ["D", "int4"], ["F", ["F"]],
]  # fmt: skip
WORDS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"9" * 400, b"0." + b"3" * 100, b'{"a":1,"a":2}', b"{}", b"[[[[",
    b"]]]]", b'"\\ud800"', b'"\\u0000"', b'"', b",", b"\xef\xbb\xbf", b"\xff\xfe", b"null", b"-", b"--1", b"0x10", b"1_000",
    b" " * 1000, b'["T"', b"00", b"1E5", b"true",
]  # fmt: skip
PARTS = [
    "1", "[]", "{}", '["e"]', '["l"]', '["d"]', '["S"]', '["t",1]', '["F",["F"]]', '["z",0]', '["lf",0]', '["i","0x1"]', '"ab"',
    "9" * 17, "0.1", '["H",1,"a",true]', '["A","U65536",[0]]', '["T","float64",[0],"cpu",false]',
    '["T","bool",[0,9999999],"cuda:1",false]',
]  # fmt: skip
PLAIN = (
    type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, slice, EllipsisType, torch.Tensor,
    torch.Size, torch.dtype, torch.device, np.ndarray, HandleRef,
)  # fmt: skip


class Finding(Exception):
    """The decoder did what it must not do."""


def a_value(source: random.Random, depth: int = 0) -> Any:
    """A value of any kind that crosses."""
    few = range(source.randrange(5))
    leaves = [
        lambda: source.choice([None, True, 0, -7, 2**90, math.nan, -math.inf, 1.5, 2 + 1j, "é", "x" * 300, b"xyz", Ellipsis]),
        lambda: a_tensor(source),
        lambda: an_array(source),
        lambda: np.float32(1) if source.random() < 0.5 else np.str_("ab"),
        lambda: [source.random() for _ in range(300)] if source.random() < 0.5 else list(range(300)),
        lambda: source.choice([slice(1, None, 2), torch.Size([2, 3]), torch.int8, torch.device("cpu"), HandleRef(1, "a", True)]),
    ]
    nests = [
        lambda: [a_value(source, depth + 1) for _ in few],
        lambda: tuple(a_value(source, depth + 1) for _ in few),
        lambda: {source.choice(["a", "b", 1, (1, 2), None, b"k"]): a_value(source, depth + 1) for _ in few},
        lambda: {source.randrange(9) for _ in few} if source.random() < 0.5 else frozenset({("a", 1), "b"}),
    ]
    return source.choice(leaves if depth > 3 or source.random() < 0.4 else nests)()


def a_tensor(source: random.Random) -> torch.Tensor:
    dtype = getattr(torch, source.choice(sorted(ITEM_BYTES)))
    shape = [source.randrange(4) for _ in range(source.randrange(4))]
    raw = torch.zeros(math.prod(shape) * dtype.itemsize, dtype=torch.uint8)
    value = raw.view(dtype).reshape(shape) if raw.numel() else torch.empty(shape, dtype=dtype)
    return value.requires_grad_() if dtype.is_floating_point and source.random() < 0.2 else value


def an_array(source: random.Random) -> np.ndarray[Any, Any]:
    name = source.choice([*sorted(NUMPY_TYPES), "U3"])
    return np.zeros([source.randrange(4) for _ in range(source.randrange(4))], dtype=name)


def distorted(node: Any, source: random.Random) -> Any:
    """The tree with one place changed: still JSON, so it reaches the readers."""
    if not isinstance(node, list) or not node or source.random() < 0.1:
        return source.choice(ODD)
    node, place = list(node), source.randrange(len(node))
    match source.randrange(14):
        case 0:
            del node[place]
        case 1:
            node.insert(place, source.choice(ODD))
        case 2:
            node[place] = node[source.randrange(len(node))]
        case 3 if isinstance(node[0], str):
            node[0] = source.choice(TAGS)
        case 4:
            node = [*node, *node[1:]]
        case 5 if type(node[place]) is int:
            node[place] = source.choice([node[place] + 1, node[place] - 1, -node[place], 2 * node[place], *NUMBERS])
        case 6:
            for _ in range(source.choice([1, 5, 31, 33, 34, 100])):
                node = [source.choice(["l", "t", "F", "S", "d", "r", "c", "T"]), node]
        case _:
            node[place] = distorted(node[place], source)
    return node


def scrambled(raw: bytes, source: random.Random) -> bytes:
    """Bytes with a few places changed."""
    data = bytearray(raw)
    for _ in range(source.randrange(1, 5)):
        place = source.randrange(len(data) + 1)
        match source.randrange(6):
            case 0:
                data[place : place + 1] = bytes([source.randrange(256)])
            case 1:
                del data[place : place + source.randrange(16)]
            case 2:
                data[place:place] = source.choice(WORDS)
            case 3:
                other = source.randrange(len(data) + 1)
                data[place : place + 6] = data[other : other + 6]
            case 4:
                del data[place:]
            case _:
                data += source.randbytes(source.choice([1, 8, 64]))
    return bytes(data)


def huge(source: random.Random) -> bytes:
    """A header as full as it may be."""
    part = source.choice(PARTS)
    count = (MAX_HEADER_BYTES - 100) // (len(part) + 1)
    match source.randrange(6):
        case 0:
            return b"[" * source.randrange(MAX_HEADER_BYTES)
        case 1:
            depth = source.randrange(2, 100_000)
            return ('["l",' * depth + part + "]" * depth).encode()
        case 2:  # different keys; as many as fit
            tag = source.choice("dSF")
            keys = ",".join(f'["t",{number},{-1 - number % 2}]' for number in range(2 * 20_000))
            return f'["{tag}",{keys}]'.encode()
        case 3:  # hash(-1) == hash(-2)
            keys = ",".join(json.dumps(["t", *(-1 - (number >> bit & 1) for bit in range(14))]) for number in range(2**13))
            return f'["{source.choice("SF")}",{keys}]'.encode()
        case _:
            return f'["{source.choice(["l", "t", "d", "S", "z", "r", "T", "A"])}",{",".join([part] * count)}]'.encode()


def an_input(index: int, seed: int, specimens: list[tuple[Any, bytes, bytes]]) -> bytes:
    """The whole message of this number."""
    source = random.Random(f"{seed}/{index}")
    tree, header, payload = source.choice(specimens)
    if index % HUGE_EVERY == 0:
        header = huge(source)
    else:
        match source.randrange(10):
            case 0:
                header = source.randbytes(source.randrange(64))
            case 1 | 2:
                header, payload = scrambled(header, source), scrambled(payload, source)
            case 3:
                payload = scrambled(payload, source)
            case 4:
                header = json.dumps([tree] * source.randrange(4) if source.random() < 0.5 else {"a": tree}).encode()
            case turn:
                tree = distorted(tree, source)
                header = json.dumps(distorted(tree, source) if turn % 2 else tree).encode()
                payload = payload if turn < 9 else payload + source.randbytes(source.choice([8, 512, 2**16]))
    raw = PREFIX.pack(MAGIC, len(header), len(payload)) + header + payload
    match source.randrange(60):
        case 0:
            return scrambled(raw[: PREFIX.size], source) + raw[PREFIX.size :]
        case 1:
            header_bytes = source.choice([0, 1, len(header) + 1, 2**20, 2**32 - 1])
            payload_bytes = source.choice([0, 1, len(payload) + 1, 2**26, 2**63])
            return PREFIX.pack(MAGIC, header_bytes, payload_bytes) + raw[PREFIX.size :]
        case 2:
            return raw[: source.randrange(len(raw) + 1)]
    return raw


def feed(raw: bytes) -> Any:
    """What the trusted end does with a message; bytes that never come are left out, as if the sender had stopped there."""
    if len(raw) < PREFIX.size:
        raise Malformed("cut short")
    header, payload = tensors.read_prefix(raw[: PREFIX.size], MAX_FRAME)
    room = tensors.room(min(payload, len(raw)))
    body = raw[PREFIX.size + header :][: len(room)]
    room[: len(body)] = body
    return tensors.decode(raw[PREFIX.size : PREFIX.size + header], room, owned=True)


def check_plain(value: Any) -> None:
    """Every part of a decoded value is of a plain type, never of a subclass."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) not in PLAIN and not isinstance(part, np.generic):
            raise Finding(f"decoded a {type(part)}")
        if type(part) in (list, tuple, set, frozenset):
            waiting += part
        elif type(part) is dict:
            waiting += [*part, *part.values()]


def alarm(number: int, frame: object) -> None:
    raise Finding(f"longer than {HANG_SECONDS} s")


def status_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    source = random.Random(options.seed)
    specimens = []
    for _ in range(SPECIMENS):
        _, header, *buffers = tensors.encode([1, "value", a_value(source)]).parts
        specimens.append((json.loads(header), header, b"".join(map(bytes, buffers))))
    if options.only is not None:
        raw = an_input(options.only, options.seed, specimens)
        print(len(raw), raw[:2000])
        check_plain(feed(raw))
        return
    signal.signal(signal.SIGALRM, alarm)
    resource.setrlimit(resource.RLIMIT_AS, (status_bytes("VmSize") + ROOM_BYTES, resource.RLIM_INFINITY))
    outcomes, reasons, slowest, before, index = Counter[str](), Counter[str](), 0.0, 0, 0
    start = time.perf_counter()
    try:
        for index in range(-WARM_UP, options.inputs):
            if index == 0:
                before, outcomes, slowest = status_bytes("VmHWM"), Counter(), 0.0
            raw = an_input(index, options.seed, specimens)
            signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
            began = time.process_time()
            try:
                value = feed(raw)
                took = time.process_time() - began
                outcomes["decoded"] += 1
                check_plain(value)
            except Malformed as exc:
                took = time.process_time() - began
                outcomes["malformed"] += 1
                reasons[re.sub(r"[0-9]+", "N", str(exc))] += 1
                if isinstance(exc.__cause__, MemoryError):
                    raise Finding("asked for too much memory") from exc
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if took > slowest:
                slowest, value = took, None
                print(f"input {index}: {1000 * took:.1f} ms, {len(raw)} bytes {raw[PREFIX.size : PREFIX.size + 40]!r}")
    except BaseException as exc:
        print(f"input {index}: {type(exc).__name__}: {exc}; repeat it with --seed {options.seed} --only {index}", file=sys.stderr)
        raise
    for reason, count in reasons.most_common():
        print(f"{count:9} {reason}")
    result = {
        "inputs": options.inputs,
        "malformed": outcomes["malformed"],
        "decoded": outcomes["decoded"],
        "max_seconds": round(slowest, 3),
        "rss_growth_mb": round((status_bytes("VmHWM") - before) / 2**20, 1),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
