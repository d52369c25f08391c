"""TOML files that people write, read into strict pydantic models; every fault is one `CourseInvalid` line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, ValidationError

from assessor.errors import CourseInvalid

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[int | str, ...]


class Strict(BaseModel):
    """Base of what a file may hold: no unknown key, no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _number(value: object) -> object:
    """TOML has numbers; text and true/false in a number's place are slips, which pydantic would let pass."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("a number")
    return value


def _size(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(SIZES)
    return value


Number = BeforeValidator(_number)
"""Marks a field that only a number of TOML may fill."""
SIZES = "a number of bytes greater than 0, or a size such as '4 GiB'"
Size = Annotated[ByteSize, Field(gt=0), BeforeValidator(_size)]
"""A size in bytes, greater than 0, also as '4 GiB'."""


def read_toml(file: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        CourseInvalid: it is not there, cannot be read, is not UTF-8 or not TOML; the last with its line.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseInvalid(file, "(file)", "nothing", "the file itself: make it with `assessor init`") from None
    except OSError as fault:
        raise CourseInvalid(file, "(file)", fault.strerror or str(fault), "a file that can be read") from None
    except UnicodeDecodeError as fault:
        raise CourseInvalid(file, f"byte {fault.start}", fault.object[fault.start], "UTF-8 text") from None
    except tomllib.TOMLDecodeError as fault:
        raise CourseInvalid(file, "(TOML)", str(fault), "valid TOML") from None


def parse(model: type[Model], file: Path, data: Mapping[str, Any]) -> Model:
    """Validates what a file holds.

    Raises:
        CourseInvalid: the file, the key (list entries by their name), what stands there and what may.
    """
    try:
        return model.model_validate(data)
    except ValidationError as fault:
        raise _in_our_words(model, file, data, fault) from None


def _in_our_words(model: type[BaseModel], file: Path, data: object, fault: ValidationError) -> CourseInvalid:
    """One of pydantic's complaints. A misspelt key comes first, since it makes the right one look missing."""
    errors = fault.errors(include_url=False)
    error = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    place, found = error["loc"], error["input"]
    key = _dotted(data, place)
    if error["type"] == "extra_forbidden":
        return CourseInvalid(file, key, f"unknown key {place[-1]}", _keys_instead(model, place))
    if error["type"] == "missing":
        return CourseInvalid(file, key, "nothing", "this key is required")
    allowed = SIZES if error["type"].startswith("byte_size") else error["msg"]
    allowed = allowed.removeprefix("Value error, ").removeprefix("Input should be ")
    return CourseInvalid(file, key, found if isinstance(found, (str, int, float)) else str(found), allowed)


def _dotted(data: object, place: Place) -> str:
    """A key's dotted path; entries of lists by their name where they have one."""
    parts: list[str] = []
    for step in place:
        inner = None
        if isinstance(data, Mapping):
            inner = data.get(step)
        elif isinstance(data, list) and isinstance(step, int):
            inner = data[step]
        else:
            break  # pydantic's own steps inside one value: which arm of a union, '[key]'
        if isinstance(step, int):
            name = inner.get("name") if isinstance(inner, Mapping) else None
            parts[-1] += f"[{name or step + 1}]"
        else:
            parts.append(step)
        data = inner
    return ".".join(parts)


def _keys_instead(model: type[BaseModel], place: Place) -> str:
    """What to write in an unknown key's place."""
    wrong, known = str(place[-1]), _known_keys(model, place[:-1])
    near = get_close_matches(wrong, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if len(place) > 1 and wrong in model.model_fields:
        return f"{wrong} at the top of the file, before the first [table]"
    return f"one of {', '.join(known)}"


def _known_keys(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that are allowed where `place` leads."""
    current = model
    for step in place:
        if isinstance(step, str):
            annotation: Any = current.model_fields[step].annotation
            inner = [part for part in (annotation, *getattr(annotation, "__args__", ())) if isinstance(part, type)]
            current = next((part for part in inner if issubclass(part, BaseModel)), current)
    return list(current.model_fields)
