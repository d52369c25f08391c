"""Hidden tests of lab 2."""

import math

import pytest
import torch

from assessor.grading.proxy import library, with_operators
from assessor.grading.tolerances import WrongAnswer, assert_close_to, assert_dtype, assert_instance

SEEDED = 20_000


def draw(rng, *shape):
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def number(rng, low=0.3, high=1.2):
    return float(low + (high - low) * torch.rand((), generator=rng, dtype=torch.float64))


def dual(student, value, slope=1.0):
    return with_operators(student.Dual(value, slope))


def assert_dual(answer, value, slope):
    assert_close_to(answer.real, value, rtol=1e-9, atol=1e-12, what="the value")
    assert_close_to(answer.dual, slope, rtol=1e-9, atol=1e-12, what="the derivative")


@pytest.mark.marks("0.25")
@pytest.mark.hint("(a + b eps)(c + d eps): which terms are left?")
def test_dual_products(student, rng):
    """`Dual` should follow the product rule."""
    a, b = number(rng), number(rng)
    x, y = dual(student, a, 1.0), dual(student, b, 0.5)
    assert_dual(x * y, a * b, a * 0.5 + b)
    assert_dual(x * x * x, a**3, 3 * a**2)


@pytest.mark.marks("0.25")
@pytest.mark.hint("The quotient rule, and its sign.")
def test_dual_quotients(student, rng):
    """`Dual` should follow the quotient rule, sums and differences."""
    a, b = number(rng), number(rng)
    x, y = dual(student, a, 1.0), dual(student, b, 0.5)
    assert_dual(x / y, a / b, (b - a * 0.5) / b**2)
    assert_dual(x - y, a - b, 0.5)
    assert_dual(-x + y, b - a, -0.5)


@pytest.mark.marks("0.25")
@pytest.mark.hint("2 * x calls x.__rmul__(2); 1 - x calls x.__rsub__(1).")
def test_dual_plain_numbers(student, rng):
    """`Dual` should work with plain numbers on either side."""
    a = number(rng)
    x = dual(student, a)
    assert_dual(2 * x + 1, 2 * a + 1, 2.0)
    assert_dual(x * 3 + 0.5, 3 * a + 0.5, 3.0)
    assert_dual(1 - x, 1 - a, -1.0)
    assert_dual(3 / x, 3 / a, -3 / a**2)


@pytest.mark.marks("0.5")
@pytest.mark.hint("f(a + b eps) = f(a) + b f'(a) eps: do not forget b.")
@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp"])
def test_dual_functions(student, rng, name):
    """`Dual`'s functions should carry the chain rule."""
    a, b = number(rng), number(rng)
    slope = {"sin": math.cos(a), "cos": -math.sin(a), "tan": 1 / math.cos(a) ** 2, "exp": math.exp(a)}[name]
    assert_dual(getattr(dual(student, a, b), name)(), getattr(math, name)(a), b * slope)


@pytest.mark.marks("0.25")
@pytest.mark.hint("The local derivative of x * y with respect to x is y; backward starts from 1.")
def test_var_gradients(student, rng):
    """`Var` should find the gradients of sums, products, sine and tangent."""
    a, b = number(rng), number(rng)
    x, y = with_operators(student.Var(a)), with_operators(student.Var(b))
    z = x * y + x.sin() + 2 * y.tan()
    z.backward()
    assert_close_to(z.value, a * b + math.sin(a) + 2 * math.tan(b), rtol=1e-9, atol=1e-12, what="the value")
    assert_close_to(x.grad, b + math.cos(a), rtol=1e-9, atol=1e-12, what="the gradient")
    assert_close_to(y.grad, a + 2 / math.cos(b) ** 2, rtol=1e-9, atol=1e-12, what="the gradient")


@pytest.mark.marks("0.5")
@pytest.mark.hint("A variable that is used twice collects both contributions, once each.")
def test_var_used_again(student, rng):
    """`Var` should collect every contribution of a variable that is used again."""
    a = number(rng)
    x = with_operators(student.Var(a))
    square = x * x
    z = square * square + square * x
    z.backward()
    assert_close_to(x.grad, 4 * a**3 + 3 * a**2, rtol=1e-9, atol=1e-12, what="the gradient")


@pytest.mark.marks("0.5")
@pytest.mark.hint("Compare one step by hand; is the loss a sum? Are gradients of the last step gone?")
@pytest.mark.timeout(3)
@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_descend(student, reference, rng, steps):
    """`descend` should take the same steps as gradient descent by hand."""
    a, u, v = draw(rng, 5, 4), draw(rng, 5, 2), draw(rng, 4, 2)
    answer = student.descend(a, u, v, steps, 0.01)
    assert_instance(answer, tuple)
    assert_close_to(answer, reference.descend(a, u, v, steps, 0.01), rtol=1e-7, atol=1e-9)


@pytest.mark.marks("0.1")
@pytest.mark.hint("`u -= ...` changes the tensor that the caller gave you, and detach() alone is no copy.")
def test_descend_leaves_its_start(student, rng):
    """`descend` should leave the caller's factors as they are."""
    a, u, v = draw(rng, 4, 3), draw(rng, 4, 2), draw(rng, 3, 2)
    descend = library(student, "torch.overrides.functools.partial")(student.descend, a, v=v, steps=2, lr=0.01)
    # batch_size=None hands the row itself to the function, so a change of it shows in the loader's dataset.
    loader = library(student, "torch.utils.data.DataLoader")(u[None], batch_size=None, collate_fn=descend)
    assert_instance(next(iter(loader)), (tuple, list))
    assert_close_to(loader.dataset, u[None], what="the u that you were given, afterwards,")


@pytest.mark.marks("0.15")
@pytest.mark.hint("Return detached tensors.")
def test_descend_returns_no_graph(student, rng):
    """`descend` should return factors that carry no graph."""
    answer = student.descend(draw(rng, 3, 3), draw(rng, 3, 1), draw(rng, 3, 1), 2, 0.01)
    assert_instance(answer, tuple)
    for factor in answer:
        assert_dtype(factor, torch.float64)
        if factor.requires_grad:
            raise WrongAnswer("a returned factor still requires a gradient", "")


@pytest.mark.marks("0.5")
@pytest.mark.hint("backward gets the gradient from further up, and needs the x of forward.")
def test_swish(student, reference, rng):
    """`Swish` should pass on what comes from further up, times its own slope."""
    x, upstream = draw(rng, 4, 3), draw(rng, 4, 3)
    assert_close_to(student.swish(x), reference.swish(x), what="the value")
    answer = library(student, "torch.autograd.functional.vjp")(student.swish, x, upstream)
    assert_instance(answer, tuple)
    assert_close_to(answer[1], upstream * reference.swish_slope(x), rtol=1e-6, atol=1e-9, what="the gradient")


@pytest.mark.marks("0.25")
@pytest.mark.hint("z = mu + sigma * eps, and the gradient flows through mu and sigma.")
def test_second_moment_gradient(student, rng):
    """`second_moment_gradient` should come near 2 mu and 2 sigma with many samples."""
    mu, sigma = number(rng, 0.5, 1.5), number(rng, 0.5, 1.0)
    answer = student.second_moment_gradient(mu, sigma, SEEDED)
    assert_instance(answer, (tuple, list))
    # ten standard errors: a right answer fails once in 10^22 runs
    assert_close_to(answer[0], 2 * mu, rtol=0, atol=10 * 2 * sigma / math.sqrt(SEEDED), what="d/dmu")
    wide = 10 * 2 * math.sqrt(mu**2 + 2 * sigma**2) / math.sqrt(SEEDED)
    assert_close_to(answer[1], 2 * sigma, rtol=0, atol=wide, what="d/dsigma")


@pytest.mark.marks("0.5")
@pytest.mark.hint("Outputs are rows.")
@pytest.mark.parametrize("shape", [(3, 5), (4, 4)], ids=str)
def test_jacobian(student, reference, rng, shape):
    """`jacobian` should have a row for each output and a column for each input."""
    w, x = draw(rng, *shape), draw(rng, shape[1])
    assert_close_to(student.jacobian(w, x), reference.jacobian(w, x))
