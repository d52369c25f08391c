"""Hidden tests of lab 1."""

import pytest
import torch

from assessor.grading.tolerances import assert_close_to, assert_dtype, assert_instance, assert_shape, numerical_gradient

FLOATS = [torch.float64, torch.float32]


def draw(rng, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=rng, dtype=torch.float64).to(dtype)


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
    assert_close_to(student.logreg_grad(theta, x, y), reference.logreg_grad(theta, x, y))


@pytest.mark.marks("0.25")
@pytest.mark.hint("Check one column by hand: class 0 is the first column.")
def test_softreg_grad(student, reference, rng):
    """`softreg_grad` should agree with finite differences of the loss."""
    theta, x = draw(rng, 3, 4), draw(rng, 10, 3)
    labels = torch.randint(0, 4, (10,), generator=rng)
    answer = student.softreg_grad(theta, x, labels)
    assert_close_to(answer, reference.softreg_grad(theta, x, labels))
    slope = numerical_gradient(lambda point: reference.softreg_loss(point, x, labels), theta)
    assert_close_to(answer, slope, rtol=1e-5, atol=1e-6)


@pytest.mark.marks("0.25")
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


@pytest.mark.marks("0.25")
@pytest.mark.hint("How large is u @ v.T - a on the known entries after 300 epochs?")
@pytest.mark.timeout(60)
def test_factorise_fits(student, rng):
    """`factorise` should fit the known entries of a matrix of low rank."""
    a = torch.rand(6, 2, generator=rng).double() @ torch.rand(2, 5, generator=rng).double()
    mask = torch.ones(6, 5)
    mask[0, 1] = mask[3, 2] = 0
    answer = student.factorise(a, mask, 2, epochs=300, lr=0.1)
    assert_instance(answer, tuple)
    u, v = answer
    assert_shape(u, (6, 2))
    assert_shape(v, (5, 2))
    # root mean square: at most 0.05 in 400 right runs, at least 0.16 after one epoch; the largest error has no such gap
    error = ((a - u.double() @ v.double().T) * mask).square().sum() / mask.sum()
    assert float(error.sqrt()) < 0.1, "the known entries are not fitted"


@pytest.mark.marks("0.25")
@pytest.mark.hint("The mask says what is known; start from torch.rand.")
@pytest.mark.timeout(60)
def test_factorise_ignores_unknown(student, rng):
    """`factorise` should start in [0, 1) and not be moved by unknown entries."""
    a = torch.rand(5, 4, generator=rng).double()
    mask = (torch.rand(5, 4, generator=rng) < 0.6).float()
    u, v = start(student, a, mask, epochs=0)
    for factor in (u, v):
        assert float(factor.min()) >= 0 and float(factor.max()) < 1, "the start is not uniform in [0, 1)"
    other = torch.where(mask.bool(), a, torch.full_like(a, 50.0))
    u, v = start(student, other, mask, epochs=40)
    worst = float((u.double() @ v.double().T).abs().max())
    assert worst < 25, "entries that the mask hides have an influence"


def start(student, a, mask, epochs):
    answer = student.factorise(a, mask, 2, epochs=epochs, lr=0.05)
    assert_instance(answer, tuple)
    assert len(answer) == 2, "two factors are expected"
    for factor, rows in zip(answer, a.shape, strict=True):
        assert_shape(factor, (rows, 2))
    return answer


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
