"""Hidden tests of lab 1."""

from contextlib import contextmanager

import pytest
import torch

from assessor.grading.proxy import library
from assessor.grading.tolerances import (
    WrongAnswer,
    assert_close_to,
    assert_dtype,
    assert_instance,
    assert_shape,
    numerical_gradient,
)

FLOATS = [torch.float64, torch.float32]
SIGMAS = 8.0
"""Standard errors allowed: a right sampler fails once in 10^15."""


def draw(rng, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=rng, dtype=torch.float64).to(dtype)


def require(right, otherwise):
    """An assertion whose text the student reads."""
    if not right:
        raise WrongAnswer(otherwise, "")


@pytest.mark.marks("0.25")
@pytest.mark.hint("Along which dimension does each row sum to 1?")
@pytest.mark.parametrize("dtype", FLOATS, ids=["float64", "float32"])
def test_softmax(student, reference, rng, dtype):
    """`softmax` should turn each row of logits into probabilities."""
    logits = draw(rng, 6, 5, dtype=dtype)
    answer = student.softmax(logits)
    assert_dtype(answer, dtype)
    assert_close_to(answer, reference.softmax(logits))


@pytest.mark.marks("0.25")
@pytest.mark.hint("Subtract each row's maximum before the exponential.")
def test_softmax_extreme(student, reference, rng):
    """`softmax` should stay finite and right for logits of a thousand."""
    logits = draw(rng, 4, 3) + torch.tensor([[1000.0], [-1000.0], [0.0], [500.0]], dtype=torch.float64)
    assert_close_to(student.softmax(logits), reference.softmax(logits))
    wide = torch.tensor([[1000.0, 0.0, -1000.0]], dtype=torch.float64)
    assert_close_to(student.softmax(wide), reference.softmax(wide))


@pytest.mark.marks("0.5")
@pytest.mark.hint("A sum over the data, not a mean; and what is (N,) minus (N, 1)?")
@pytest.mark.parametrize("dtype", FLOATS, ids=["float64", "float32"])
def test_linreg_grad(student, reference, rng, dtype):
    """`linreg_grad` should be the gradient of half the summed squared error."""
    theta, x, y = draw(rng, 4, dtype=dtype), draw(rng, 9, 4, dtype=dtype), draw(rng, 9, dtype=dtype)
    answer = student.linreg_grad(theta, x, y)
    assert_dtype(answer, dtype)
    assert_close_to(answer, reference.linreg_grad(theta, x, y))
    assert_close_to(student.linreg_grad(theta, x, y[:, None]), reference.linreg_grad(theta, x, y))


@pytest.mark.marks("0.25")
@pytest.mark.hint("Which function turns x @ theta into a probability?")
@pytest.mark.parametrize("dtype", FLOATS, ids=["float64", "float32"])
def test_logreg_grad(student, reference, rng, dtype):
    """`logreg_grad` should be the gradient of the summed cross-entropy."""
    theta, x = draw(rng, 4, dtype=dtype), draw(rng, 9, 4, dtype=dtype)
    y = (draw(rng, 9) > 0).to(dtype)
    answer = student.logreg_grad(theta, x, y)
    assert_dtype(answer, dtype)
    assert_close_to(answer, reference.logreg_grad(theta, x, y))


@contextmanager
def a_right_softmax(student):
    """Meanwhile `softmax` is torch's own: who got theirs wrong loses marks for it once, not again in what calls it."""
    theirs = student.softmax if "softmax" in student else None
    student.softmax = library(student, "torch.overrides.functools.partial")(library(student, "torch.softmax"), dim=1)
    try:
        yield
    finally:
        student.softmax = theirs


@pytest.mark.marks("0.15")
@pytest.mark.hint("Check one column by hand: class 0 is the first column.")
@pytest.mark.parametrize("dtype", FLOATS, ids=["float64", "float32"])
def test_softreg_grad(student, reference, rng, dtype):
    """`softreg_grad` should be the gradient of the summed cross-entropy, with a right softmax."""
    theta, x = draw(rng, 3, 4, dtype=dtype), draw(rng, 10, 3, dtype=dtype)
    labels = torch.randint(0, 4, (10,), generator=rng)
    with a_right_softmax(student):
        answer = student.softreg_grad(theta, x, labels)
    assert_dtype(answer, dtype)
    assert_close_to(answer, reference.softreg_grad(theta, x, labels))


@pytest.mark.marks("0.15")
@pytest.mark.hint("(f(theta + h) - f(theta - h)) / 2h for one element of theta: compare it with yours.")
@pytest.mark.parametrize("name", ["linreg", "logreg", "softreg"])
def test_finite_differences(student, reference, rng, name):
    """The gradient functions should agree with finite differences of their losses."""
    x = draw(rng, 10, 3)
    theta = draw(rng, 3, 4) if name == "softreg" else draw(rng, 3)
    y = torch.randint(0, 4, (10,), generator=rng) if name == "softreg" else (draw(rng, 10) > 0).double()
    with a_right_softmax(student):
        answer = getattr(student, f"{name}_grad")(theta, x, y)
    slope = numerical_gradient(lambda point: getattr(reference, f"{name}_loss")(point, x, y), theta)
    assert_close_to(answer, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Work on copies: `x -= ...` changes what the caller gave you.")
@pytest.mark.parametrize("name", ["linreg_grad", "logreg_grad"])
def test_arguments_are_left_alone(student, reference, rng, name):
    """The gradient functions should not change their arguments."""
    x, y = draw(rng, 6, 3), (draw(rng, 6) > 0).double()
    theta = draw(rng, 3)
    expected = getattr(reference, name)(theta, x, y)
    guarded = [value.clone().requires_grad_() for value in (theta, x, y)]  # torch refuses to change such a leaf in place
    assert_close_to(getattr(student, name)(*guarded), expected)


@pytest.mark.marks("0.5")
@pytest.mark.hint("`torch.linalg.svd` returns V transposed.")
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)], ids=str)
def test_pinv(student, reference, rng, shape):
    """`pinv` should be the pseudo-inverse of tall, wide and square matrices."""
    x = draw(rng, *shape)
    assert_close_to(student.pinv(x), reference.pinv(x), rtol=1e-6, atol=1e-9)


@pytest.mark.marks("0.25")
@pytest.mark.hint("Singular values that are zero up to rounding must not be inverted.")
def test_pinv_rank_deficient(student, reference, rng):
    """`pinv` should give the minimum-norm solution of a rank-deficient problem."""
    x = draw(rng, 8, 2) @ draw(rng, 2, 5)
    y = draw(rng, 8)
    answer = student.pinv(x)
    assert_shape(answer, (5, 8))
    assert_dtype(answer, torch.float64)
    assert_close_to(answer @ y, reference.pinv(x) @ y, rtol=1e-6, atol=1e-8)


@pytest.mark.marks("0.5")
@pytest.mark.hint("Which singular values carry most of the matrix?")
def test_truncated_svd(student, reference, rng):
    """`truncated_svd` should leave exactly the error that Eckart and Young promise."""
    a = draw(rng, 7, 5)
    for rank in (1, 3, 5):
        answer = student.truncated_svd(a, rank)
        assert_close_to(answer, reference.truncated_svd(a, rank), rtol=1e-6, atol=1e-9)
        left_out = torch.linalg.svdvals(a)[rank:].square().sum()
        assert_close_to((answer - a).square().sum(), left_out, rtol=1e-6, atol=1e-12, what="the squared error")


def factors(student, a, mask, rank, epochs, lr, seed):
    """The factors that a student's function gives when it starts from this seed."""
    library(student, "torch.manual_seed")(seed)
    answer = student.factorise(a, mask, rank, epochs, lr)
    assert_instance(answer, (tuple, list))
    require(len(answer) == 2, "two factors are expected")
    for factor, rows in zip(answer, a.shape, strict=True):
        assert_shape(factor, (rows, rank), what="a factor")
        require(factor.is_floating_point(), "a factor holds whole numbers")
    return answer


def ratings(rng):
    """A matrix of rank 2 and what is known of it: about 60 %, and something in each row."""
    a = torch.rand(5, 2, generator=rng).double() @ torch.rand(2, 4, generator=rng).double()
    mask = (torch.rand(5, 4, generator=rng) < 0.6).float()
    mask[:, 1] = 1
    mask[2, 3] = 0
    return a, mask


@pytest.mark.marks("0.1")
@pytest.mark.hint("`torch.rand`, not `torch.randn`.")
def test_factorise_start(student, rng, seed):
    """`factorise` should start from random numbers, uniform in [0, 1)."""
    a = torch.zeros(30, 20, dtype=torch.float64)
    starts = [factors(student, a, torch.zeros(30, 20), 10, 0, 0.05, number % 2**31) for number in (seed, seed + 1)]
    for factor, other in zip(*starts, strict=True):
        inside = float(factor.min()) >= 0 and float(factor.max()) < 1
        require(inside, "the start is not in [0, 1)")
        off = abs(float(factor.double().mean()) - 0.5)
        require(off <= SIGMAS * (1 / 12 / factor.numel()) ** 0.5, "the mean of the start is not that of uniform numbers")
        require(not torch.equal(factor, other), "the start is always the same")


@pytest.mark.marks("0.2")
@pytest.mark.hint("One epoch on a 2 x 2 matrix by hand, entry by entry: which factor moves first, by what?")
@pytest.mark.timeout(3)
@pytest.mark.parametrize("epochs", [1, 3])
def test_factorise_steps(student, reference, rng, seed, epochs):
    """`factorise` should take the updates of the known entries, row by row, from its own start."""
    a, mask = ratings(rng)
    start = [factor.double() for factor in factors(student, a, mask, 2, 0, 0.1, seed % 2**31)]
    answer = factors(student, a, mask, 2, epochs, 0.1, seed % 2**31)
    new, old = (reference.factorise(a, mask, start, epochs, 0.1, old=old) for old in (False, True))
    # V_c may also move by the U_r of before: that is the gradient, and as good.
    off = [sum(float((mine - right).abs().max()) for mine, right in zip(answer, one, strict=True)) for one in (new, old)]
    assert_close_to(list(answer), list(new if off[0] <= off[1] else old), what="a factor")


@pytest.mark.marks("0.1")
@pytest.mark.timeout(3)
@pytest.mark.hint("The mask says what is known. Put something else where it is 0: is anything different?")
def test_factorise_ignores_unknown(student, rng, seed):
    """`factorise` should give the same factors whatever stands at the unknown entries."""
    a, mask = ratings(rng)
    other = torch.where(mask.bool(), a, torch.full_like(a, 50.0))
    first, second = (factors(student, one, mask, 2, 3, 0.05, seed % 2**31) for one in (a, other))
    assert_close_to(list(second), [factor.clone() for factor in first], what="a factor with other unknown entries")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_factorise_steps", "test_factorise_start", "test_factorise_ignores_unknown")
@pytest.mark.hint("How large is u @ v.T - a on the known entries after 300 epochs?")
@pytest.mark.timeout(60)
def test_factorise_fits(student, calibrated):
    """`factorise` should fit the known entries of a matrix of low rank."""

    def run(seed):
        a, mask = ratings(torch.Generator().manual_seed(seed))
        u, v = factors(student, a, mask, 2, 300, 0.1, seed)
        error = ((a - u.double() @ v.double().T) * mask).square().sum() / mask.sum()
        return float(error.sqrt() / a[mask.bool()].std())

    calibrated("relative error on known entries", run, higher=False)


@pytest.mark.marks("0.5")
@pytest.mark.hint("Statistics of the training set only.")
def test_standardise(student, reference, rng):
    """`standardise` should use the training set's statistics for both sets."""
    train, test = 3 + 2 * draw(rng, 12, 3), draw(rng, 5, 3) - 1
    answer = student.standardise(train, test)
    assert_instance(answer, (tuple, list))
    assert_close_to(list(answer), list(reference.standardise(train, test)))
    alone = student.standardise(train, test[:1])
    assert_instance(alone, (tuple, list))
    assert_close_to(alone[1], answer[1][:1], what="the first test row alone")
