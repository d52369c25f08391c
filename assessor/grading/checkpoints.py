"""Puts the weights that a student handed in into the reference architecture, on the trusted side.

    weights = checkpoint(student, "weights.pth")             # assessor.grading.proxy: opened in the sandbox
    load_into(net := reference.Classifier(), weights)
    assert accuracy(net, held_out) > 0.9                     # on data that the student's process never sees

Names are tried first, since they say what is meant: as they are, or without a prefix that wrappers and subclasses put
before all of them. Where names are left that do not agree, shapes decide: the first tensor of a shape goes to the first
parameter of that shape, and so on. Two layers of one shape, declared in another order than the reference's, cannot be told
apart so; a test for which that matters looks at the names in what `load_into` returns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from assessor.grading.tolerances import WrongAnswer

MAX_LISTED = 6
MAX_NAME = 60
MAX_PREFIX = 4
"""Wrappers around a module, each of which puts its own word before all names."""
OPTIONAL = "num_batches_tracked"
"""A counter of batch norm that old checkpoints lack and that no output depends on."""


def state_of(checkpoint: Mapping[Any, Any]) -> dict[str, Tensor]:
    """The one dict of named tensors in a checkpoint, which may lie beside an optimiser's state, an epoch and the like.

    Raises:
        WrongAnswer: the student's; there is none, or more than one.
    """
    states = list(_states("", checkpoint, 0))
    if len(states) > 1:  # {"model": ..., "optimizer": ...}, {"ema": ..., "model": ...}: the name says which
        states = [one for one in states if one[0] in ("state_dict", "model_state_dict", "model", "net", "weights")] or states
    if len(states) != 1:
        found = _listed([name or "(top)" for name, _ in states])
        text = f"found {found} with tensors in your checkpoint" if states else "your checkpoint names no tensors"
        raise WrongAnswer(f"{text}, where one state_dict was expected", f"top-level keys: {_listed(list(checkpoint))}")
    return states[0][1]


def load_into(reference_module: nn.Module, checkpoint: Mapping[Any, Any]) -> dict[str, str]:
    """Copies a checkpoint's tensors into a module, all of them or, where they do not fit, none.

    Args:
        reference_module: gets the parameters and buffers, in its own dtype and on its own device.
        checkpoint: as `assessor.grading.proxy.checkpoint` gives it: a state_dict, or one that holds it.

    Returns:
        Which tensor went where: name in the module -> name in the checkpoint.

    Raises:
        WrongAnswer: the student's; the line lists what is missing, unexpected or of another shape.
    """
    given = state_of(checkpoint)
    wanted = {name: value for name, value in reference_module.state_dict().items() if isinstance(value, Tensor)}
    places = _places(wanted, given)
    if places is None:
        raise _misfit(wanted, given)
    for name, source in places.items():
        if not _fits_kind(given[source].dtype, wanted[name].dtype):
            kinds = f"{_kind(given[source])}, where {_kind(wanted[name])} was expected"
            raise WrongAnswer(f"{_short(source)} in your checkpoint is {kinds}", f"for {name}")
    with torch.no_grad():
        for name, source in places.items():
            wanted[name].copy_(given[source])
    return places


def _states(name: str, value: Any, depth: int) -> list[tuple[str, dict[str, Tensor]]]:
    """Every dict in it that gives names to tensors, with its own name. Per-parameter state of an optimiser has numbers."""
    if not isinstance(value, Mapping) or depth > 4:
        return []
    tensors = {key: item for key, item in value.items() if isinstance(key, str) and isinstance(item, Tensor)}
    if tensors:
        return [(name, tensors)]
    return [found for key, item in value.items() if isinstance(key, str) for found in _states(key, item, depth + 1)]


def _places(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, str] | None:
    """Name in the module -> name in the checkpoint, with nothing left on either side; None where they do not fit."""
    prefix = _prefix(wanted, given)
    bare = {name.removeprefix(prefix): name for name in given}
    same = {name: bare[name] for name in wanted if name in bare}
    if any(given[source].shape != wanted[name].shape for name, source in same.items()):
        if wanted.keys() == bare.keys():
            return None  # a wrong architecture, not another naming
        same = {}  # such as layers that are numbered otherwise: the names say nothing
    taken = set(same.values())
    there = _names_by_shape({name: value for name, value in given.items() if name not in taken})
    here = _names_by_shape({name: value for name, value in wanted.items() if name not in same})
    if {shape: len(names) for shape, names in there.items()} != {shape: len(names) for shape, names in here.items()}:
        return None
    pairs = {name: source for shape in here for name, source in zip(here[shape], there[shape], strict=True)}
    return {name: source for name in wanted if (source := same.get(name) or pairs.get(name))}


def _prefix(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """The common beginning without which most names agree."""
    return max(_prefixes(given), key=lambda prefix: len(wanted.keys() & {name.removeprefix(prefix) for name in given}))


def _prefixes(given: Mapping[str, Tensor]) -> list[str]:
    """'', and every dotted beginning that all names share: 'module.', 'module.model.'."""
    first, *others = (name.split(".", MAX_PREFIX)[:-1] for name in given)
    shared = 0
    while shared < len(first) and all(parts[: shared + 1] == first[: shared + 1] for parts in others):
        shared += 1
    return [".".join([*first[:count], ""]) if count else "" for count in range(shared + 1)]


def _names_by_shape(state: Mapping[str, Tensor]) -> dict[tuple[int, ...], list[str]]:
    names: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name, value in state.items():
        if not name.endswith(OPTIONAL):
            names[tuple(value.shape)].append(name)
    return names


def _misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> WrongAnswer:
    """One line: what is missing, what is too much, what has another shape."""
    prefix = _prefix(wanted, given)
    bare = {name.removeprefix(prefix): value for name, value in given.items()}
    missing = [_described(name, wanted[name]) for name in wanted if name not in bare and not name.endswith(OPTIONAL)]
    unexpected = [_described(name, value) for name, value in bare.items() if name not in wanted]
    other = [
        f"{_short(name)} has shape {tuple(value.shape)}, not {tuple(wanted[name].shape)}"
        for name, value in bare.items()
        if name in wanted and value.shape != wanted[name].shape
    ]
    parts = [f"missing {_listed(missing)}"] * bool(missing) + [f"unexpected {_listed(unexpected)}"] * bool(unexpected)
    parts += [_listed(other)] * bool(other)
    counts = f"{_elements(given)} numbers in {len(given)} tensors, expected {_elements(wanted)} in {len(wanted)}"
    return WrongAnswer(f"your checkpoint does not fit the architecture asked for: {'; '.join(parts)}", counts)


def _elements(state: Mapping[str, Tensor]) -> int:
    return sum(math.prod(value.shape) for value in state.values())


def _fits_kind(given: torch.dtype, wanted: torch.dtype) -> bool:
    """Whether a copy only rounds: float to float of another width, but no float from integers or complex numbers."""
    if wanted.is_floating_point:
        return given.is_floating_point
    return given.is_complex == wanted.is_complex and not given.is_floating_point


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _described(name: str, value: Tensor) -> str:
    return f"{_short(name)} {tuple(value.shape)}"


def _short(name: object) -> str:
    """A student's name on one line."""
    text = "".join(character if character.isprintable() else "?" for character in str(name)[: MAX_NAME + 1])
    return text if len(text) <= MAX_NAME else text[:MAX_NAME] + "…"


def _listed(names: list[Any]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(_short(name) if not isinstance(name, str) else name for name in names[:MAX_LISTED]) + more
