"""The verdict "the same formula" against a computer algebra system's, on formulas of the size that quizzes ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assessor.quizzes.formula import parse_formula, same

x, y = sympy.symbols("x y", real=True)
a = sympy.symbols("a", positive=True)
VARIABLES = ["x", "y", "a"]
FUNCTIONS = (sympy.exp, sympy.sin, sympy.cos, sympy.tanh)
FORMS: tuple[Callable[[sympy.Expr], sympy.Expr], ...] = (
    sympy.expand, sympy.factor, sympy.together, sympy.cancel, sympy.simplify, sympy.expand_trig, sympy.powsimp,
)  # fmt: skip


def extend(inner: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
    return st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] - pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
        st.tuples(inner, st.sampled_from([2, 3])).map(lambda pair: pair[0] ** pair[1]),
        inner.map(lambda part: part / (1 + x**2)),
        inner.map(lambda part: part / a),
        inner.map(lambda part: part + sympy.log(a)),
        inner.map(lambda part: part * sympy.sqrt(a)),
        st.tuples(st.sampled_from(FUNCTIONS), st.sampled_from([x, y, x + y, 2 * x, x - 1])).map(lambda pair: pair[0](pair[1])),
    )


formulas = st.recursive(st.sampled_from([x, y, a, *map(sympy.Integer, (1, 2, 3))]), extend, max_leaves=5)


def ours(one: sympy.Expr, other: sympy.Expr) -> bool:
    trees = [parse_formula(sympy.sstr(each), VARIABLES) for each in (one, other)]
    return same(*trees, VARIABLES, positive=["a"])


@given(formula=formulas, form=st.sampled_from(FORMS))
@settings(max_examples=150, deadline=None)
def test_another_form_of_the_same_formula_is_the_same(formula: sympy.Expr, form: Callable[[sympy.Expr], sympy.Expr]) -> None:
    other = form(formula)
    assume(len(sympy.sstr(formula)) <= 300 and len(sympy.sstr(other)) <= 300)
    assert ours(formula, other)


@given(one=formulas, other=formulas)
@settings(max_examples=40, deadline=None)
def test_two_formulas_are_the_same_where_their_difference_is_nothing(one: sympy.Expr, other: sympy.Expr) -> None:
    assume(max(len(sympy.sstr(each)) for each in (one, other)) <= 300)
    assert ours(one, other) is (sympy.simplify(one - other) == 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sqrt(x^2)", "x"), ("log(x^2)", "2 log(x)"), ("abs(x)", "x"), ("sqrt(a^2)", "a"), ("log(a^2)", "2 log(a)"),
        ("sin(x)^2 + cos(x)^2", "1"), ("1 - tanh(x)^2", "4 exp(2x)/(exp(2x) + 1)^2"), ("(x^2 - 1)/(x - 1)", "x + 1"),
        ("exp(x)*exp(y)", "exp(x + y)"), ("exp(x)*exp(y)", "exp(x*y)"), ("log10(a)", "log(a)/log(10)"), ("x^3", "x^2"),
    ],
)  # fmt: skip
def test_what_holds_on_one_side_of_zero_only(one: str, other: str) -> None:
    """Ours against sympy's `equals` of what sympy itself reads; our texts, so that its `eval` meets nobody else's."""
    words = {"x": x, "y": y, "a": a, "abs": sympy.Abs, "log10": lambda value: sympy.log(value, 10)}
    theirs = [sympy.parse_expr(
        text.replace("^", "**").replace("2 log", "2*log").replace("4 exp", "4*exp").replace("2x", "2*x"), local_dict=words
    ) for text in (one, other)]  # fmt: skip
    trees = [parse_formula(text, VARIABLES) for text in (one, other)]
    assert same(*trees, VARIABLES, positive=["a"]) is bool(theirs[0].equals(theirs[1]))
