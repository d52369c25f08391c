"""Formulas: what is read, what is refused, what is the same, and that nothing a stranger types takes long or runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessor.quizzes.formula import (
    MAX_LETTERS,
    Call,
    FormulaError,
    Name,
    Number,
    Tree,
    Undefined,
    evaluate_real,
    parse_formula,
    same,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3*4", 14), ("(2 + 3)*4", 20), ("-2^2", -4), ("2^-1", 0.5), ("2^3^2", 512), ("2**3", 8), ("7 // 2", 3), ("7 % 4", 3),
        ("2x", 6), ("2(x + 1)", 8), ("x(x + 1)", 12), ("1/2*x", 1.5), ("floor((28 + 2*2 - 5)/2) + 1", 14), ("max(x, 7)", 7),
        ("sqrt(16)", 4), ("2π", 2 * math.pi), ("x²", 9), ("3·x", 9), ("x − 1", 2), ("1e3", 1000), ("σ(0)", 0.5), ("ln(e)", 1),
    ],
)  # fmt: skip
def test_a_formula_means_what_people_mean_by_it(text: str, value: float) -> None:
    assert evaluate_real(parse_formula(text, ["x"]), {"x": 3.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("2 +", 4, "a number, a name or '('"), ("2 + * 3", 5, "a number"), ("(1 + 2", 7, "')'"), ("1 + 2)", 6, "the end"),
        ("y + 1", 1, "one of x"), ("eval(x)", 1, "one of x"),
        ("exp 2", 5, "'(' after exp"), ("max(1)", 6, "2 argument"), ("x; 1", 2, "an operator"),
        ("__import__('os')", 12, "a number, a name"), ("x.real", 2, "an operator"), ("lambda: 1", 7, "a number"),
        ('"a"*9', 1, "a number"), ("", 1, "a number"), ("1" * (MAX_LETTERS + 1), MAX_LETTERS + 1, "at most"),
        ("(" * 200, 42, "at most 40"), ("-" * 200 + "1", 42, "at most 40"), ("2^" * 100 + "2", 83, "at most 40"),
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused_with_its_place(text: str, at: int, expected: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, ["x"])
    assert caught.value.at == at and expected in caught.value.expected


@pytest.mark.parametrize("text", ["1/0", "9^9^9^9", "log(0)", "sqrt(-1)", "exp(exp(exp(9)))", "0^-1", "(-8)^(1/3)"])
def test_what_has_no_real_value_says_so_at_once(text: str) -> None:
    with pytest.raises(Undefined):
        evaluate_real(parse_formula(text), {})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("2x(x^2 - 1)", "2x^3 - 2x", True), ("sigmoid(x)*(1 - sigmoid(x))", "exp(-x)/(1 + exp(-x))^2", True),
        ("1 - tanh(x)^2", "1/cosh(x)^2", True), ("(x + y)^2", "x^2 + y^2", False), ("x/x", "1", True), ("x*y", "y*x", True),
        ("x + 0.001", "x", False), ("abs(x)", "x", False), ("log(x^2)", "2*log(x)", False), ("1/0", "1/0", False),
        ("x^2/x", "x", True), ("sqrt(x^2)", "x", False), ("3", "6/2", True),
    ],
)  # fmt: skip
def test_formulas_are_the_same_where_they_agree_everywhere(one: str, other: str, equal: bool) -> None:
    trees = [parse_formula(text, ["x", "y"]) for text in (one, other)]
    assert same(*trees, ["x", "y"]) is equal


def test_a_variable_may_be_known_to_be_positive() -> None:
    trees = [parse_formula(text, ["x"]) for text in ("log(x^2)", "2*log(x)")]
    assert same(*trees, ["x"], positive=["x"]) and not same(*trees, ["x"])


def test_greek_letters_are_their_names() -> None:
    names = ["theta", "x"]
    assert parse_formula("2θx", names) == parse_formula("2 theta x", names)
    assert parse_formula("θ*x", names) == Call("*", (Name("theta"), Name("x")))


trees = st.recursive(
    st.integers(0, 9).map(lambda value: Number(float(value))) | st.sampled_from(["x", "y"]).map(Name),
    lambda inner: st.builds(lambda sign, one, other: Call(sign, (one, other)), st.sampled_from(["+", "-", "*"]), inner, inner),
    max_leaves=8,
)


def written(tree: Tree) -> str:
    if isinstance(tree, Call):
        return f"({written(tree.arguments[0])} {tree.function} {written(tree.arguments[1])})"
    return tree.name if isinstance(tree, Name) else f"{tree.value:.0f}"


@given(trees)
@settings(max_examples=60)
def test_what_is_written_in_full_is_read_as_it_was(tree: Tree) -> None:
    assert parse_formula(written(tree), ["x", "y"]) == tree


@given(st.text(max_size=60) | st.text("0123456789.+-*/^()x,e ", max_size=60))
@settings(max_examples=150)
def test_any_text_is_a_formula_or_is_refused(text: str) -> None:
    try:
        tree = parse_formula(text, ["x"])
    except FormulaError:
        return
    try:
        evaluate_real(tree, {"x": 1.5})
    except Undefined:
        return
