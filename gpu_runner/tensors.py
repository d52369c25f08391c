"""Values to bytes and back: the only language spoken with a student's process. Never pickle.

A frame is a fixed prefix, a JSON header and raw buffers:

    prefix   magic "GRC1", header length (uint32), payload length (uint64), big-endian
    header   one node, see below
    payload  the buffers that the nodes name, in the order in which the header names them

A node is null, true, false, a finite number, a short string, or an array that begins with a tag:

    ["i", hex]                long int                 ["f", "nan" | "inf" | "-inf"]
    ["c", re, im]             complex                  ["s", n] ["b", n]         str, bytes in a buffer
    ["l", ...] ["t", ...]     list, tuple              ["lf", n] ["li", n]       long lists of floats, ints, packed
    ["S", ...] ["F", ...]     set, frozenset           ["d", k, v, k, v, ...]    dict
    ["e"]                     Ellipsis                 ["r", start, stop, step]  slice
    ["T", dtype, shape, device, requires_grad]         torch tensor
    ["A", dtype, shape] ["N", dtype]                   numpy array, numpy scalar
    ["z", ...] ["D", dtype] ["V", device]              torch.Size, torch.dtype, torch.device
    ["H", id, type name, callable]                     handle of an object that stays in the student's process

`decode` on the trusted side is a security boundary: its input was written by a stranger. It checks every length
against what is there before it allocates, knows only the dtypes of a table, builds only plain types (`type(x) is
Tensor`), and answers anything odd with `Malformed`. This file also runs inside the sandbox as a plain file beside
agent.py, where torch or numpy may be absent: it imports neither, and looks for them only when a value needs them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import mmap
import re
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

MAGIC = b"GRC1"
PREFIX = struct.Struct(">4sIQ")
MAX_HEADER_BYTES = 2**20
MAX_MESSAGE_BYTES = 2**40
"""Where nobody said less."""
MAX_DEPTH = 32
MAX_ITEMS = 1_000_000
MAX_DIMENSIONS = 64
MAX_ELEMENTS = 2**32
MAX_INT_BITS = 4096
MAX_EQUAL_HASHES = 32
"""Keys of one set or dict that may share a hash: a million that do would take hours to insert."""
MAX_KEY_SECONDS = 3.0
"""CPU time for inserting a message's keys, a hundred times what honest ones take: some whose hashes differ are slow too."""
KEYS_AT_ONCE = 1024
MAX_TEXT_BYTES = 2**24
LONG = 256
"""Strings of more characters, and lists of more numbers, go into a buffer."""
LARGE_BYTES = 2**22
"""Payloads from here on get pages of their own."""
ALIGNMENT = 64
"""Where torch puts its tensors: sums must not depend on where a tensor came from."""

ITEM_BYTES = {
    "bool": 1, "uint8": 1, "int8": 1, "float8_e4m3fn": 1, "float8_e4m3fnuz": 1, "float8_e5m2": 1, "float8_e5m2fnuz": 1,
    "uint16": 2, "int16": 2, "float16": 2, "bfloat16": 2, "uint32": 4, "int32": 4, "float32": 4, "complex32": 4,
    "uint64": 8, "int64": 8, "float64": 8, "complex64": 8, "complex128": 16,
}  # fmt: skip
NUMPY_TYPES = frozenset(ITEM_BYTES) - {"bfloat16", "complex32"} - {name for name in ITEM_BYTES if "float8" in name}
MAX_TEXT_WIDTH = 2**16
"""Characters of one element of a numpy array of strings."""


class Refused(Exception):
    """A value of a kind that does not cross; the text says why."""


class Malformed(Exception):
    """Bytes that no honest encoder writes."""


class HandleRef(NamedTuple):
    """Names an object that stays in the student's process. Kind and callable are claims."""

    id: int
    type_name: str
    callable: bool


class Frame(NamedTuple):
    """An encoded message: `parts` joined are its bytes."""

    parts: tuple[Any, ...]
    size_bytes: int


def refuse(value: object) -> HandleRef:
    """Refuses what is not data; the default of `encode`."""
    raise Refused(f"a {type(value).__qualname__} is not data")


def encode(
    value: object, handle: Callable[[object], HandleRef] = refuse, max_message_bytes: int = MAX_MESSAGE_BYTES
) -> Frame:
    """Encodes a value; what is not data is given to `handle`, which names or refuses it.

    Subclasses of data types are reduced to the plain type. A value too large is refused before it is copied.

    Raises:
        Refused: a sparse, quantised or object-dtype array, a value too deep, too long or too large for the header.
    """
    encoder = _Encoder(handle, max_message_bytes)
    header = json.dumps(encoder.node(value, 0), separators=(",", ":"), allow_nan=False).encode()
    if len(header) > MAX_HEADER_BYTES:
        raise Refused("the value has too many parts")
    payload_bytes = sum(len(buffer) for buffer in encoder.buffers)
    encoder.room(len(header) + PREFIX.size)
    prefix = PREFIX.pack(MAGIC, len(header), payload_bytes)
    return Frame((prefix, header, *encoder.buffers), len(prefix) + len(header) + payload_bytes)


def _unkeyable(value: object) -> HandleRef:
    raise Refused(f"a {type(value).__qualname__} cannot be a key that crosses")


class _Encoder:
    """Walks one value, collecting buffers."""

    def __init__(self, handle: Callable[[object], HandleRef], max_message_bytes: int) -> None:
        self.handle, self.max_message_bytes = handle, max_message_bytes
        self.buffers: list[Any] = []
        self.items = self.bytes = 0

    def count(self, number: int) -> None:
        self.items += number
        if self.items > MAX_ITEMS:
            raise Refused(f"the value has more than {MAX_ITEMS} parts")

    def room(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.max_message_bytes:
            raise Refused(f"the value has {self.bytes} bytes or more; {self.max_message_bytes} may cross")

    def buffer(self, data: Any) -> int:
        self.buffers.append(data)
        return len(data)

    def node(self, value: Any, depth: int) -> Any:
        self.count(1)
        if depth > MAX_DEPTH:
            raise Refused(f"the value is nested more than {MAX_DEPTH} deep")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if issubclass(kind, HandleRef):
            return ["H", *value]
        for base, write in _SCALARS:
            if issubclass(kind, base) and (base is bytes or not _is_numpy_scalar(kind)):
                return write(self, value)
        for base, tag, walk in _CONTAINERS:
            if issubclass(kind, base):
                return self.container(value, tag, walk, depth)
        return self.foreign(value, depth)

    def container(self, value: Any, tag: str, walk: Callable[[Any], Iterable[Any]], depth: int) -> Any:
        if issubclass(type(value), tuple) and issubclass(type(value), _torch_type("Size")):
            return ["z", *map(int, walk(value))]
        length = len(parts := tuple(itertools.islice(walk(value), MAX_ITEMS + 1)))
        if tag == "l" and length > LONG and (packed := self.packed(parts)):
            return packed
        if tag in "SF":
            return [tag, *(self.key(part, depth) for part in parts)]
        if tag == "d":
            node: list[Any] = ["d"]
            for key, item in parts:
                node += [self.key(key, depth), self.node(item, depth + 1)]
            return node
        return [tag, *(self.node(part, depth + 1) for part in parts)]

    def key(self, value: Any, depth: int) -> Any:
        """A key is data through and through."""
        handle, self.handle = self.handle, _unkeyable
        try:
            return self.node(value, depth + 1)
        finally:
            self.handle = handle

    def packed(self, parts: Sequence[Any]) -> Any:
        self.room(8 * len(parts))
        kinds = set(map(type, parts))
        if kinds == {float}:
            self.count(len(parts))
            return ["lf", self.buffer(struct.pack(f"<{len(parts)}d", *parts)) // 8]
        if kinds == {int} and all(-(2**63) <= part < 2**63 for part in parts):
            self.count(len(parts))
            return ["li", self.buffer(struct.pack(f"<{len(parts)}q", *parts)) // 8]
        return None

    def integer(self, value: Any) -> Any:
        plain = int.__add__(value, 0)
        if -(2**53) < plain < 2**53:
            return plain
        if plain.bit_length() > MAX_INT_BITS:
            raise Refused(f"an int of more than {MAX_INT_BITS} bits")
        return ["i", hex(plain)]

    def real(self, value: Any) -> Any:
        plain = float.__float__(value)
        return plain if math.isfinite(plain) else ["f", repr(plain)]

    def complex(self, value: Any) -> Any:
        parts = (complex.real.__get__(value), complex.imag.__get__(value))
        return ["c", *map(self.real, parts)]

    def text(self, value: Any) -> Any:
        plain = str.__str__(value)
        if len(plain) <= LONG:
            return plain
        self.room(len(plain))
        if self.buffer(plain.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
            raise Refused(f"a text of more than {MAX_TEXT_BYTES} bytes")
        return ["s", len(self.buffers[-1])]

    def raw(self, value: Any) -> Any:
        self.room(len(value))
        return ["b", self.buffer(bytes(memoryview(value)))]

    def range(self, value: Any) -> Any:
        if len(value) > MAX_ITEMS:
            raise Refused("a range of too many numbers")
        return self.node(list(value), 0)

    def foreign(self, value: Any, depth: int) -> Any:
        """torch, numpy, slices; everything else is not data."""
        kind = type(value)
        if kind is slice:
            return ["r", *(self.node(part, depth + 1) for part in (value.start, value.stop, value.step))]
        if value is Ellipsis:
            return ["e"]
        if issubclass(kind, _torch_type("Tensor")):
            return self.tensor(value)
        if issubclass(kind, _numpy_type("ndarray")):
            return ["A", *self.array(value)]
        if _is_numpy_scalar(kind):
            return ["N", self.array(value)[0]]
        if issubclass(kind, _torch_type("dtype")):
            return ["D", str(value)[6:]]
        if issubclass(kind, _torch_type("device")):
            return ["V", str(value)]
        named = self.handle(value)
        return ["H", int(named.id), str(named.type_name)[:LONG], bool(named.callable)]

    def tensor(self, value: Any) -> Any:
        torch = sys.modules["torch"]
        with torch._C.DisableTorchFunctionSubclass():
            if value.layout is not torch.strided or value.is_quantized or getattr(value, "is_nested", False):
                kind = "quantised" if value.is_quantized else str(value.layout)[6:]
                raise Refused(f"a {kind} tensor does not cross: make it dense")
            if value.device.type == "meta":
                raise Refused("a tensor on the meta device holds no data")
            name = str(value.dtype)[6:]
            if name not in ITEM_BYTES:
                raise Refused(f"a tensor of dtype {name} does not cross")
            shape, device, requires_grad = tuple(map(int, value.shape)), str(value.device), bool(value.requires_grad)
            self.room(math.prod(shape) * ITEM_BYTES[name])
            plain = torch.Tensor.detach(value).resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
            if plain.numel():
                self.buffer(memoryview(plain.view(torch.uint8).numpy()))
            return ["T", name, list(shape), device, requires_grad]

    def array(self, value: Any) -> Any:
        numpy = sys.modules["numpy"]
        plain = numpy.asarray(value)
        if plain.dtype.kind == "U":
            plain = plain if plain.dtype.itemsize else plain.astype("U1")  # elements of no bytes could be any number
            name = f"U{plain.dtype.itemsize // 4}"
            if plain.dtype.itemsize // 4 > MAX_TEXT_WIDTH:
                raise Refused("a numpy array of too long strings")
        else:
            name = plain.dtype.name
            if name not in NUMPY_TYPES:
                raise Refused(f"a numpy array of dtype {name} does not cross")
        self.room(plain.nbytes)
        plain = numpy.ascontiguousarray(plain, dtype=plain.dtype.newbyteorder("=")).reshape(-1)
        if plain.nbytes:
            self.buffer(memoryview(plain.view(numpy.uint8)))
        return [name, list(map(int, value.shape))]


_SCALARS: tuple[tuple[type, Callable[[_Encoder, Any], Any]], ...] = (
    (int, _Encoder.integer),
    (float, _Encoder.real),
    (complex, _Encoder.complex),
    (str, _Encoder.text),
    (bytes, _Encoder.raw),
    (bytearray, _Encoder.raw),
    (range, _Encoder.range),
)
_CONTAINERS: tuple[tuple[type, str, Callable[[Any], Iterable[Any]]], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (dict, "d", dict.items),
    (frozenset, "F", frozenset.__iter__),
    (set, "S", set.__iter__),
)


class _Absent:
    """Stands for a type of a library that is not there: nothing is a subclass of it."""


def _torch_type(name: str) -> type:
    return getattr(sys.modules.get("torch"), name, _Absent)


def _numpy_type(name: str) -> type:
    return getattr(sys.modules.get("numpy"), name, _Absent)


def _is_numpy_scalar(kind: type) -> bool:
    return issubclass(kind, _numpy_type("generic"))


def read_prefix(prefix: bytes | bytearray, max_message_bytes: int) -> tuple[int, int]:
    """Lengths of header and payload.

    Raises:
        Malformed: not our prefix, or more than may come.
    """
    magic, header_bytes, payload_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise Malformed("not a message")
    if header_bytes > MAX_HEADER_BYTES or PREFIX.size + header_bytes + payload_bytes > max_message_bytes:
        raise Malformed(f"a message of {header_bytes + payload_bytes} bytes, more than the {max_message_bytes} allowed")
    return header_bytes, payload_bytes


def room(size: int) -> Any:
    """A writable buffer of `size` bytes to receive into. A large one takes memory only as it fills, in large pages."""
    if size < LARGE_BYTES:
        return bytearray(size)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(AttributeError, OSError):  # a system without large pages
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _same(named: HandleRef) -> Any:
    return named


def decode(
    header: bytes | bytearray,
    payload: Any = b"",
    *,
    handle: Callable[[HandleRef], Any] = _same,
    place: bool = False,
    owned: bool = False,
) -> Any:
    """Decodes one frame; everything is copied, nothing points into `payload`, unless it is `owned`.

    Args:
        handle: makes what a handle becomes: a proxy on the trusted side, the object itself in the agent.
        place: whether tensors go to the device they came from. The trusted side leaves them on the CPU; there
            `device_of` says where the student had them.
        owned: whether the payload is given away, never to be touched again: a tensor or array that is most of a large
            one then lies in it. No two share a byte.

    Raises:
        Malformed: anything that `encode` would not have written.
    """
    try:
        node = json.loads(
            bytes(header).decode("utf-8"),
            parse_int=_json_int,
            parse_float=_json_float,
            parse_constant=_json_refuse,
            object_pairs_hook=_json_refuse,
        )
        buffer = bytearray(payload) if isinstance(payload, bytes) else payload
        decoder = _Decoder(memoryview(buffer), handle, place, owned)
        value = decoder.value(node, 0)
        if decoder.position != len(decoder.payload):
            raise Malformed("bytes left over")
        return value
    except Malformed:
        raise
    except Exception as exc:  # what json, torch and numpy raise on nonsense that the checks let through
        raise Malformed(f"a value that cannot be read ({type(exc).__name__})") from exc


def device_of(tensor: Any) -> str:
    """The device on which the student's process had this tensor, as claimed."""
    return str(getattr(tensor, "claimed_device", tensor.device))


def _json_int(text: str) -> int:
    if len(text) > 17:
        raise Malformed("a number too long")
    return int(text)


def _json_float(text: str) -> float:
    value = float(text) if len(text) <= 32 else math.nan
    if not math.isfinite(value):
        raise Malformed("a number out of range")
    return value


def _json_refuse(found: object) -> Any:
    raise Malformed("an object or constant that has no place here")


class _Decoder:
    """Walks one header, consuming the payload in order."""

    def __init__(self, payload: memoryview, handle: Callable[[HandleRef], Any], place: bool, owned: bool) -> None:
        self.payload, self.handle, self.place, self.owned = payload, handle, place, owned
        self.position = 0
        self.items = 0
        self.key_seconds = 0.0

    def count(self, number: int) -> None:
        self.items += number
        if self.items > MAX_ITEMS:
            raise Malformed(f"more than {MAX_ITEMS} parts")

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self.payload) - self.position:
            raise Malformed("a buffer longer than its message")
        self.position += size
        return self.payload[self.position - size : self.position]

    def copied(self, size: int) -> bool:
        """Whether the next bytes must be copied: small ones would keep a large message alive, others lie askew."""
        most = LARGE_BYTES <= len(self.payload) < 2 * size
        return not (self.owned and most and self.position % ALIGNMENT == 0)

    def value(self, node: Any, depth: int) -> Any:
        self.count(1)
        if depth > MAX_DEPTH + 1:
            raise Malformed(f"nested more than {MAX_DEPTH} deep")
        if type(node) is not list:
            return node
        read = _READERS.get(node[0]) if node and type(node[0]) is str else None
        if read is None:
            raise Malformed("an unknown kind of value")
        return read(self, node, depth)

    def values(self, node: list[Any], depth: int) -> list[Any]:
        return [self.value(part, depth + 1) for part in node[1:]]

    def long_int(self, node: list[Any], depth: int) -> int:
        (text,) = _typed(node, str)
        if len(text) > MAX_INT_BITS // 4 + 4 or not re.fullmatch(r"-?0x[0-9a-f]+", text):
            raise Malformed("not an int")
        return int(text, 16)

    def unusual_float(self, node: list[Any], depth: int) -> float:
        (text,) = _typed(node, str)
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]

    def complex(self, node: list[Any], depth: int) -> complex:
        real, imaginary = self.values(node, depth)
        if type(real) is not float or type(imaginary) is not float:
            raise Malformed("not a complex number")
        return complex(real, imaginary)

    def text(self, node: list[Any], depth: int) -> str:
        (size,) = _typed(node, int)
        if size > MAX_TEXT_BYTES:
            raise Malformed("a text too long")
        return str(self.take(size), "utf-8", "surrogatepass")

    def raw(self, node: list[Any], depth: int) -> bytes:
        (size,) = _typed(node, int)
        return bytes(self.take(size))

    def sequence(self, node: list[Any], depth: int) -> Any:
        return {"l": list, "t": tuple}[node[0]](self.values(node, depth))

    def packed(self, node: list[Any], depth: int) -> list[Any]:
        (length,) = _typed(node, int)
        self.count(max(length, 0))
        return list(struct.unpack(f"<{length}{'d' if node[0] == 'lf' else 'q'}", self.take(8 * length)))

    def set(self, node: list[Any], depth: int) -> Any:
        keys = self.checked_keys(self.values(node, depth))
        return set(keys) if node[0] == "S" else frozenset(keys)

    def dict(self, node: list[Any], depth: int) -> dict[Any, Any]:
        if len(node) % 2 == 0:
            raise Malformed("a key without a value")
        values = self.values(node, depth)
        return dict(zip(self.checked_keys(values[::2]), values[1::2]))  # noqa: B905  strict= is of Python 3.10

    def checked_keys(self, keys: list[Any]) -> list[Any]:
        """Refuses keys that do not hash by value, that are doubled, or that were chosen to collide."""
        if not all(map(_is_key, keys)):
            raise Malformed("a key that is not plain data")
        hashes: Counter[int] = Counter()
        self.insert(hashes, list(map(hash, keys)))
        if keys and max(hashes.values()) > MAX_EQUAL_HASHES:
            raise Malformed("keys chosen to collide")
        different: set[Any] = set()
        self.insert(different, keys)
        if len(different) != len(keys):
            raise Malformed("a key given twice")
        return keys

    def insert(self, table: Any, keys: list[Any]) -> None:
        """Fills a set or counter while time lasts. A dict of the same keys then takes no longer."""
        for start in range(0, len(keys), KEYS_AT_ONCE):
            began = time.thread_time()
            table.update(keys[start : start + KEYS_AT_ONCE])
            self.key_seconds += time.thread_time() - began
            if self.key_seconds > MAX_KEY_SECONDS:
                raise Malformed("keys chosen to collide")

    def ellipsis(self, node: list[Any], depth: int) -> Any:
        _typed(node)
        return Ellipsis

    def slice(self, node: list[Any], depth: int) -> slice:
        parts = self.values(node, depth)
        if len(parts) != 3 or any(part is not None and type(part) is not int for part in parts):
            raise Malformed("not a slice")
        return slice(*parts)

    def tensor(self, node: list[Any], depth: int) -> Any:
        import torch

        name, shape, device, requires_grad = _typed(node, str, list, str, bool)
        dtype, count = _torch_dtype(name), _count(shape)
        if not re.fullmatch(r"[a-z]{2,12}(:[0-9]{1,3})?", device):
            raise Malformed("not a device")
        copied, data = self.copied(count * ITEM_BYTES[name]), self.take(count * ITEM_BYTES[name])
        if not count:
            tensor = torch.empty(shape, dtype=dtype, device="cpu")
        else:
            raw = torch.frombuffer(data, dtype=torch.uint8)
            raw = raw.clone() if copied else raw
            if name == "bool" and int(raw.max()) > 1:
                raise Malformed("a truth value that is neither")
            tensor = raw.view(dtype).reshape(shape)
        if self.place and device != "cpu":
            tensor = tensor.to(device)
        elif device != "cpu":
            tensor.claimed_device = device  # type: ignore[attr-defined]
        return tensor.requires_grad_() if requires_grad else tensor

    def array(self, node: list[Any], depth: int) -> Any:
        name, shape = _typed(node, str, list)
        return self.numpy_array(name, shape)

    def scalar(self, node: list[Any], depth: int) -> Any:
        (name,) = _typed(node, str)
        return self.numpy_array(name, [])[()]

    def numpy_array(self, name: str, shape: list[Any]) -> Any:
        import numpy

        count = _count(shape)
        if re.fullmatch(r"U[1-9][0-9]{0,4}", name) and int(name[1:]) <= MAX_TEXT_WIDTH:
            dtype = numpy.dtype(f"<{name}")
        elif name in NUMPY_TYPES:
            dtype = numpy.dtype(name)
        else:
            raise Malformed("an unknown dtype")
        copied, data = self.copied(count * dtype.itemsize), self.take(count * dtype.itemsize)
        raw = numpy.frombuffer(data, dtype=numpy.uint8)
        raw = raw.copy() if copied else raw
        if raw.size and name == "bool" and raw.max() > 1:
            raise Malformed("a truth value that is neither")
        if raw.size and dtype.kind == "U" and raw.view("<u4").max() > sys.maxunicode:
            raise Malformed("not text")
        return raw.view(dtype).reshape(shape)

    def size(self, node: list[Any], depth: int) -> Any:
        import torch

        _count(node[1:])
        return torch.Size(node[1:])

    def dtype(self, node: list[Any], depth: int) -> Any:
        (name,) = _typed(node, str)
        return _torch_dtype(name)

    def device(self, node: list[Any], depth: int) -> Any:
        import torch

        (name,) = _typed(node, str)
        return torch.device(name)

    def named(self, node: list[Any], depth: int) -> Any:
        number, type_name, is_callable = _typed(node, int, str, bool)
        if number < 0 or len(type_name) > LONG:
            raise Malformed("not a handle")
        return self.handle(HandleRef(number, type_name, is_callable))


_READERS: dict[str, Callable[[_Decoder, list[Any], int], Any]] = {
    "i": _Decoder.long_int, "f": _Decoder.unusual_float, "c": _Decoder.complex, "s": _Decoder.text, "b": _Decoder.raw,
    "l": _Decoder.sequence, "t": _Decoder.sequence, "lf": _Decoder.packed, "li": _Decoder.packed, "S": _Decoder.set,
    "F": _Decoder.set, "d": _Decoder.dict, "e": _Decoder.ellipsis, "r": _Decoder.slice, "T": _Decoder.tensor,
    "A": _Decoder.array, "N": _Decoder.scalar, "z": _Decoder.size, "D": _Decoder.dtype, "V": _Decoder.device,
    "H": _Decoder.named,
}  # fmt: skip


def _typed(node: list[Any], *kinds: type) -> list[Any]:
    """The parts after the tag, each exactly of its kind."""
    parts = node[1:]
    if [type(part) for part in parts] != list(kinds):
        raise Malformed(f"a value of kind {node[0]!r} with wrong parts")
    return parts


def _count(shape: list[Any]) -> int:
    """Number of elements; a shape whose product would not fit, even with a zero in it, is refused."""
    if len(shape) > MAX_DIMENSIONS or any(type(length) is not int or length < 0 for length in shape):
        raise Malformed("not a shape")
    if math.prod(max(length, 1) for length in shape) > MAX_ELEMENTS:
        raise Malformed("a shape too large")
    return math.prod(shape)


def _torch_dtype(name: str) -> Any:
    import torch

    if name not in ITEM_BYTES:
        raise Malformed("an unknown dtype")
    return getattr(torch, name)


_KEY_TYPES = frozenset({type(None), bool, int, float, complex, str, bytes})


def _is_key(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_is_key, value))
    return type(value) in _KEY_TYPES or _is_numpy_scalar(type(value))
