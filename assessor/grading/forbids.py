"""A static rule over a student's code: what a test forbids must not be named in it, under whatever alias.

Sees through imports, renaming, assignment, `getattr` with a written-out name, `import_module`, star imports, dictionaries of
a module, and a tensor's own method of the same name. What is made up while it runs (`eval`, a name glued together) is not seen:
the rule is for honest students who take the short way, and for evidence; the tests check what the answer computes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

STAR = "*"
IMPORTERS = ("importlib.import_module", "__import__")
MAX_ROUNDS = 10


@dataclass(frozen=True)
class Use:
    """One use: what, in which of the given cells (from 1), and in which line of it."""

    name: str
    cell: int
    line: int


def find_uses(cells: Sequence[str], forbidden: Iterable[str]) -> tuple[Use, ...]:
    """Where a student's code names what is forbidden.

    Args:
        cells: the student's code, cell by cell, in order; what does not parse names nothing.
        forbidden: dotted names such as 'torch.softmax' or 'torch.nn.LSTM'.
    """
    trees = [(number, tree) for number, source in enumerate(cells, 1) if (tree := _parsed(source)) is not None]
    names = _Names()
    for _ in range(MAX_ROUNDS):  # an alias of an alias may be bound before what it stands for
        before = names.size()
        for _, tree in trees:
            names.learn(tree)
        if names.size() == before:
            break
    wanted = {rule: rule.rsplit(".", 1)[-1] for rule in forbidden}
    found = {
        Use(rule, number, node.lineno)
        for number, tree in trees
        for node, paths in _named(tree, names)
        for rule, last in wanted.items()
        if rule in paths or (rule.startswith("torch.") and f"?.{last}" in paths)
    }
    return tuple(sorted(found, key=lambda use: (use.cell, use.line, use.name)))


class _Names:
    """What each name of the notebook may stand for: dotted paths."""

    def __init__(self) -> None:
        self.bound: dict[str, set[str]] = {}
        self.starred: set[str] = set()

    def size(self) -> int:
        """Grows as long as something new is learned."""
        return sum(map(len, self.bound.values())) + len(self.starred)

    def learn(self, tree: ast.AST) -> None:
        """Takes in every binding, wherever it stands."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.split(".")[0]
                    self._bind(alias.asname or first, {alias.name if alias.asname else first})
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    if alias.name == STAR:
                        self.starred.add(node.module)
                    else:
                        self._bind(alias.asname or alias.name, {f"{node.module}.{alias.name}"})
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, node.value)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                self._assign(node.target, node.value)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                self._defaults(node.args)

    def _defaults(self, arguments: ast.arguments) -> None:
        places = [*arguments.posonlyargs, *arguments.args]
        for argument, value in zip(reversed(places), reversed(arguments.defaults), strict=False):
            self._bind(argument.arg, self.paths(value))
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                self._bind(argument.arg, self.paths(default))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, self.paths(value))
        elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
            for one, other in zip(target.elts, value.elts, strict=False):
                self._assign(one, other)

    def _bind(self, name: str, paths: set[str]) -> None:
        if known := {path for path in paths if not path.startswith("?")}:
            self.bound.setdefault(name, set()).update(known)

    def paths(self, node: ast.expr) -> set[str]:
        """What an expression may stand for; '?.name' is an attribute of something unknown."""
        if isinstance(node, ast.Name):
            return self.bound.get(node.id, set()) | {f"{module}.{node.id}" for module in self.starred} | {node.id}
        if isinstance(node, ast.Attribute):
            if node.attr == "__dict__":
                return self.paths(node.value)
            return self._below(node.value, node.attr)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return self._below(node.value, str(node.slice.value))
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.IfExp):
            return self.paths(node.body) | self.paths(node.orelse)
        if isinstance(node, ast.NamedExpr):
            return self.paths(node.value)
        return set()

    def _below(self, value: ast.expr, name: str) -> set[str]:
        bases = self.paths(value)
        return {f"{base}.{name}" for base in bases} | {f"?.{name}"}

    def _called(self, node: ast.Call) -> set[str]:
        function, arguments = self.paths(node.func), node.args
        named = arguments[-1].value if arguments and isinstance(arguments[-1], ast.Constant) else None
        if "getattr" in function and len(arguments) >= 2 and isinstance(arguments[1], ast.Constant):
            return self._below(arguments[0], str(arguments[1].value))
        if "vars" in function and arguments:
            return self.paths(arguments[0])
        if function & set(IMPORTERS) and isinstance(named, str):
            return {named}
        return set()


def _named(tree: ast.AST, names: _Names) -> Iterator[tuple[ast.expr | ast.stmt, set[str]]]:
    """Every expression that names something, and every import, with what it may be."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
            yield node, names.paths(node)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, {f"{node.module}.{alias.name}" for alias in node.names}


def _parsed(source: str) -> ast.AST | None:
    """A cell's code without its magics; None where it is not Python."""
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")]
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
