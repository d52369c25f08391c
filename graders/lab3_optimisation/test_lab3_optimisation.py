"""Hidden tests of lab 3. Parameters live in the student's process; their gradients are set from here, step by step."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from assessor.grading.proxy import library
from assessor.grading.tolerances import assert_close_to, assert_dtype, assert_instance, assert_shape, require

STEPS = 25
SHAPES = [(3, 3), (3,), (3, 3), (3,)]
"""A two-layer net: two parameters of each shape, so that a memory that is shared shows as a wrong step, not as a wrong shape."""
SIGMAS = 8.0
"""Standard errors allowed: a right sampler fails once in 10^15."""
BUILT_IN = ("SGD", "Adagrad", "Adam", "AdamW")


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def whole(rng, low, high):
    return int(torch.randint(low, high, (), generator=rng))


@contextmanager
def built_in_steps_switched_off(student):
    """Meanwhile torch.optim's own steps raise: wrapping them is no answer, comparing with them elsewhere is welcome.

    Here neither, where these tests run without a sandbox: what is expected is computed before.
    """
    classes = [library(student, f"torch.optim.{name}") for name in BUILT_IN]
    steps = [one.step for one in classes]
    for one in classes:
        one.step = "switched off"
    try:
        yield
    finally:
        for one, step in zip(classes, steps, strict=True):
            one.step = step


def partial(student, function, *arguments, **named):
    """functools.partial in the student's process."""
    return library(student, "torch.overrides.functools.partial")(function, *arguments, **named)


class Parameters:
    """Parameters in the student's process."""

    def __init__(self, student, values):
        self._list = library(student, "torch.nn.ParameterList")(list(values))
        self._attribute = library(student, "operator.attrgetter")
        self._setters = [self._attribute(f"{index}.__setattr__")(self._list) for index in range(len(values))]

    def generator(self):
        """Over there, and good for once, like model.parameters()."""
        return self._list.parameters()

    def set(self, gradients):
        """Sets .grad of each; None leaves it as it is."""
        for setter, gradient in zip(self._setters, gradients, strict=True):
            if gradient is not None:
                setter("grad", gradient)

    def add(self, gradients):
        """What another backward() does."""
        for index, gradient in enumerate(gradients):
            self._attribute(f"{index}.grad.add_")(self._list)(gradient)

    def values(self):
        state = self._list.state_dict()
        assert_instance(state, dict, what="the state of the parameters")
        return list(state.values())


def assert_steps(student, make, start, gradients, expected, *, pile_up=False):
    """Asserts that a student's optimiser, given these gradients, leads to these values of the parameters, step by step."""
    parameters = Parameters(student, start)
    with built_in_steps_switched_off(student):
        optimiser = make(parameters.generator())
        for number, (step, right) in enumerate(zip(gradients, expected, strict=True), 1):
            if pile_up and number > 1:
                parameters.add(step)
            else:
                parameters.set(step)
            optimiser.step()
            what = f"a parameter after {number} step{'s' * (number > 1)}"
            assert_close_to(parameters.values(), right, rtol=1e-8, atol=1e-10, what=what)


def assert_same_steps(student, reference, rng, name, *, size=1.0, without=(), steps=STEPS, pile_up=False, **settings):
    """Asserts that an optimiser takes the steps that its namesake in torch.optim takes."""
    start = [draw(rng, *shape) for shape in SHAPES]
    gradients = [
        [None if index in without else size * draw(rng, *shape) for index, shape in enumerate(SHAPES)] for _ in range(steps)
    ]
    expected = reference.trajectory(name, start, gradients, pile_up=pile_up, **settings)
    make = partial(student, getattr(student, name), **settings)
    assert_steps(student, make, start, gradients, expected, pile_up=pile_up)


@pytest.mark.marks("0.2")
@pytest.mark.hint("f(0.5) by hand in one dimension; and where does the sum go, where does the axis of the points?")
@pytest.mark.parametrize("shape", [(1,), (3,), (4, 5, 2)], ids=str)
def test_rastrigin(student, reference, rng, shape):
    """`rastrigin` should give its value at each point, for any number of points and of dimensions."""
    x, a = 3 * draw(rng, *shape), float(5 + 10 * torch.rand((), generator=rng))
    answer = student.rastrigin(x)
    assert_dtype(answer, torch.float64)
    assert_close_to(answer, reference.rastrigin(x))
    assert_close_to(student.rastrigin(x, a), reference.rastrigin(x, a))


@pytest.mark.marks("0.2")
@pytest.mark.hint("Two steps by hand: what is b after the first? Each parameter has a memory of its own and is changed in place.")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_momentum(student, reference, rng, momentum):
    """`SGD` should take the steps of gradient descent with momentum."""
    assert_same_steps(student, reference, rng, "SGD", lr=0.05, momentum=momentum)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Nesterov adds the momentum once more to the gradient of now.")
def test_sgd_nesterov(student, reference, rng):
    """`SGD` should take Nesterov's steps when asked to."""
    assert_same_steps(student, reference, rng, "SGD", lr=0.05, momentum=0.8, nesterov=True)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Where does the decay enter: the step, or the gradient that goes through the momentum? With which sign?")
@pytest.mark.parametrize("nesterov", [False, True], ids=["momentum", "Nesterov"])
def test_sgd_weight_decay(student, reference, rng, nesterov):
    """`SGD` should let the weight decay go through the momentum."""
    assert_same_steps(student, reference, rng, "SGD", lr=0.05, momentum=0.9, nesterov=nesterov, weight_decay=0.1)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Call step() twice without zero_grad() in between: does p.grad hold what backward() put there, and no more?")
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam"])
def test_gradients_are_left_alone(student, reference, rng, name):
    """The optimisers should not change the gradients that they read."""
    assert_same_steps(student, reference, rng, name, steps=6, pile_up=True, lr=0.05, weight_decay=0.2)


@pytest.mark.marks("0.25")
@pytest.mark.hint("The squares of all steps so far are summed, element by element; where does eps stand?")
@pytest.mark.parametrize("eps", [1e-10, 0.1])
def test_adagrad(student, reference, rng, eps):
    """`Adagrad` should take Adagrad's steps."""
    assert_same_steps(student, reference, rng, "Adagrad", lr=0.1, eps=eps)


@pytest.mark.marks("0.25")
@pytest.mark.hint("The first step by hand. Which t has it, which beta belongs to which mean, and what is under the root?")
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.7)], ids=str)
def test_adam(student, reference, rng, betas):
    """`Adam` should take Adam's steps."""
    assert_same_steps(student, reference, rng, "Adam", lr=0.02, betas=betas)


@pytest.mark.marks("0.1")
@pytest.mark.hint("How far should an element move in the first step whose gradient is 0.00001, and where does eps stand?")
def test_adam_tiny_gradients(student, reference, rng):
    """`Adam` should take Adam's steps for gradients of 0.00001 too."""
    assert_same_steps(student, reference, rng, "Adam", size=1e-5, lr=0.02)


@pytest.mark.marks("0.15")
@pytest.mark.hint("The decay goes into the gradient, before anything is squared or averaged.")
@pytest.mark.parametrize("name", ["Adagrad", "Adam"])
def test_adaptive_weight_decay(student, reference, rng, name):
    """`Adagrad` and `Adam` should take the weight decay into the gradient."""
    assert_same_steps(student, reference, rng, name, lr=0.05, weight_decay=0.3)


@pytest.mark.marks("0.15")
@pytest.mark.hint("0 / 0 is NaN.")
@pytest.mark.parametrize("name", ["Adagrad", "Adam"])
def test_zero_gradients(student, reference, rng, name):
    """`Adagrad` and `Adam` should stay where they are, and finite, where a gradient is 0."""
    start = [draw(rng, 4)]
    gradients = [[torch.zeros(4, dtype=torch.float64)], [torch.tensor([1.0, 0.0, -2.0, 0.0], dtype=torch.float64)]]
    expected = reference.trajectory(name, start, gradients, lr=0.1)
    assert_steps(student, partial(student, getattr(student, name), lr=0.1), start, gradients, expected)


@pytest.mark.marks("0.1")
@pytest.mark.hint("A layer that took no part in the loss has p.grad = None; should it decay?")
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam"])
def test_parameters_without_a_gradient(student, reference, rng, name):
    """The optimisers should leave a parameter alone that has no gradient."""
    assert_same_steps(student, reference, rng, name, without=(1, 2), steps=3, lr=0.05, weight_decay=0.2)


def two_layers(student, rng):
    """A loss without arguments over there, the net that it is of, and its twin here."""
    squeeze = library(student, "torch.nn.Identity")()
    squeeze.forward = library(student, "torch.mean")
    square = library(student, "torch.nn.Identity")()
    square.forward = library(student, "torch.square")
    linear, tanh = library(student, "torch.nn.Linear"), library(student, "torch.nn.Tanh")
    net = library(student, "torch.nn.Sequential")(linear(3, 5), tanh(), linear(5, 2), square, squeeze).double()
    twin = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    net.load_state_dict(dict(twin.state_dict()))
    x = draw(rng, 7, 3)
    return partial(student, net, x), net, (lambda: twin(x).square().mean()), twin


@pytest.mark.marks("0.3")
@pytest.mark.hint("Gradients pile up until zero_grad(). In which order do the four things come, and which loss is kept, as what?")
def test_minimise(student, reference, rng):
    """`minimise` should take the steps of its optimiser and return the losses before them, as floats."""
    loss, net, twin_loss, twin = two_layers(student, rng)
    optimiser = library(student, "torch.optim.SGD")(net.parameters(), lr=0.2, momentum=0.5)
    expected = reference.minimise(twin_loss, torch.optim.SGD(twin.parameters(), lr=0.2, momentum=0.5), 8)
    history = student.minimise(loss, optimiser, 8)
    state = net.state_dict()
    assert_instance(state, dict, what="the state of the net")
    assert_close_to(state, dict(twin.state_dict()), rtol=1e-8, atol=1e-10, what="the net afterwards")
    assert_instance(history, list)
    for value in history:
        assert_instance(value, float, what="a loss")
    assert_close_to(history, expected, rtol=1e-8, what="the history")


def epoch_of(student, n, batch_size):
    """One epoch's batches, checked to be tensors of indices."""
    found = student.batches(n, batch_size)
    assert_instance(found, (list, tuple))
    for index in found:
        assert_dtype(index, torch.int64, what="a batch")
        require(index.ndim == 1, f"a batch has the shape {tuple(index.shape)}")
    return found


@pytest.mark.marks("0.15")
@pytest.mark.hint("Sort the numbers of all batches together: is each there once, the last ones too?")
@pytest.mark.parametrize(("n", "batch_size"), [(23, 5), (20, 5), (4, 9)], ids=str)
def test_batches_cover_everything(student, n, batch_size):
    """`batches` should hold every example exactly once, also when the last batch is smaller."""
    found = epoch_of(student, n, batch_size)
    sizes = [batch_size] * (n // batch_size) + [n % batch_size] * (n % batch_size > 0)
    assert_close_to([len(index) for index in found], sizes, what="the sizes of the batches")
    assert_close_to(torch.cat(list(found)).sort().values, torch.arange(n), what="all batches together, sorted,")


@pytest.mark.marks("0.1")
@pytest.mark.hint("Print two epochs. Who is in a batch with whom?")
def test_batches_are_random(student):
    """`batches` should be drawn anew in each epoch, every order equally likely."""
    n, batch_size, epochs = 30, 10, 400
    together = first = 0
    for _ in range(epochs):
        found = epoch_of(student, n, batch_size)
        require(len(found) == 3, "30 examples in batches of 10 are 3 batches")
        together += any({0, 1} <= set(index.tolist()) for index in found)
        first += 0 in found[0].tolist()
    for count, share, what in (
        (together, (batch_size - 1) / (n - 1), "how often two examples share a batch is not what chance says"),
        (first, batch_size / n, "how often an example is in the first batch is not what chance says"),
    ):
        require(abs(count / epochs - share) <= SIGMAS * math.sqrt(share * (1 - share) / epochs), what)


@pytest.mark.marks("0.2")
@pytest.mark.hint("The worked example, and the same without warm-up. Which epoch has the highest rate, which the lowest?")
@pytest.mark.parametrize("warmup", [0, 1, 4])
def test_cosine_rate(student, reference, rng, warmup):
    """`cosine_rate` should warm up and then come down along half a cosine."""
    lr, epochs = float(0.1 + torch.rand((), generator=rng)), whole(rng, 9, 15)
    answers = [student.cosine_rate(epoch, epochs, lr, warmup) for epoch in range(epochs)]
    for answer in answers:
        assert_instance(answer, (float, int), what="a rate")
    expected = [reference.cosine_rate(epoch, epochs, lr, warmup) for epoch in range(epochs)]
    assert_close_to([float(answer) for answer in answers], expected, rtol=1e-9, atol=1e-12, what="the rates")


def score_net(student, weight):
    """Scores (N,) of one linear unit without a bias, over there."""
    linear = library(student, "torch.nn.Linear")(weight.shape[1], 1, bias=False)
    net = library(student, "torch.nn.Sequential")(linear, library(student, "torch.nn.Flatten")(0)).double()
    net.load_state_dict({"0.weight": weight})
    return net


def weight_of(net):
    state = net.state_dict()
    assert_instance(state, dict, what="the state of the net")
    return state["0.weight"]


def trained(student, net, x, y, optimiser, rates, batch_size):
    """`train` on the loss sum(score * y), whose gradient over an epoch is the same in any order."""
    schedule = library(student, "operator.attrgetter")("__getitem__")(rates)
    answer = student.train(net, library(student, "torch.dot"), x, y, optimiser, schedule, len(rates), batch_size)
    assert_instance(answer, (tuple, list))
    require(len(answer) == 2, "losses and rates are two things")
    for values, what in zip(answer, ("the losses", "the rates"), strict=True):
        assert_instance(values, list, what=what)
    return answer


@pytest.mark.marks("0.2")
@pytest.mark.depends("test_minimise", "test_batches_cover_everything")
@pytest.mark.hint("Do x and y go together? Is the last batch used? Which loss is kept, and when is it measured?")
def test_train_sees_every_example(student, rng):
    """`train` should take one step for each batch, on examples with their own y, and return the loss before each."""
    x, y, weight, lr = draw(rng, 13, 3), draw(rng, 13), draw(rng, 1, 3), 0.01
    for batch_size, steps in ((4, 4), (13, 1)):
        net = score_net(student, weight)
        optimiser = library(student, "torch.optim.SGD")(net.parameters(), lr=lr)
        losses, _ = trained(student, net, x, y, optimiser, [lr] * 3, batch_size)
        assert_close_to(weight_of(net), weight - 3 * lr * (y @ x), what="the trained weight")
        require(len(losses) == 3 * steps, f"{len(losses)} losses are returned for {3 * steps} batches")
    right = [float((weight - epoch * lr * (y @ x)) @ (y @ x)) for epoch in range(3)]
    assert_close_to(losses, right, rtol=1e-8, what="the losses")


@pytest.mark.marks("0.15")
@pytest.mark.depends("test_sgd_momentum", "test_minimise", "test_batches_cover_everything")
@pytest.mark.hint("Print epoch, batch and optimiser.lr in each step: when does the rate change, and is it the one that is used?")
@pytest.mark.parametrize("own", [False, True], ids=["what it returns", "what it takes"])
def test_train_rates(student, rng, own):
    """`train` should set the learning rate once for each epoch, before its first batch, and use it in all of them."""
    x, y, weight = draw(rng, 11, 3), draw(rng, 11), draw(rng, 1, 3)
    rates = (0.001 + 0.01 * torch.rand(4, generator=rng, dtype=torch.float64)).tolist()
    net = score_net(student, weight)
    maker = student.SGD if own else library(student, "torch.optim.SGD")
    _, found = trained(student, net, x, y, maker(net.parameters(), lr=0.5), rates, 4)
    if own:
        assert_close_to(weight_of(net), weight - sum(rates) * (y @ x), what="the trained weight")
    else:
        assert_close_to(found, [rate for rate in rates for _ in range(3)], rtol=1e-9, what="the rates")


@pytest.mark.marks("0.25")
@pytest.mark.hint("The worked example by hand; labels are -1 and +1. What shape has y * scores when scores are (N, 1)?")
@pytest.mark.parametrize("column", [False, True], ids=["(N,)", "(N, 1)"])
def test_hinge(student, reference, rng, column):
    """`hinge` should be the mean of max(0, 1 - y s), and differentiable, for scores of either shape."""
    scores = 2 * draw(rng, 12)
    y = torch.where(draw(rng, 12) > 0, 1.0, -1.0).double()
    given = scores[:, None] if column else scores
    answer = student.hinge(given, y)
    assert_dtype(answer, torch.float64)
    assert_close_to(answer, reference.hinge(scores, y))
    assert_close_to(student.hinge(given, y.long()), reference.hinge(scores, y), what="your result for int64 labels")
    answer = library(student, "torch.autograd.functional.vjp")(partial(student, student.hinge, y=y), given)
    assert_instance(answer, tuple, what="value and gradient")
    require(len(answer) == 2, "value and gradient are two things")
    assert_close_to(answer[1], reference.hinge_slope(scores, y).reshape(given.shape), what="the gradient")


def assert_svm(student, reference, x, y, steps, **settings):
    answer = student.fit_svm(x, y, 0.3, 0.1, **settings)
    assert_instance(answer, (tuple, list))
    require(len(answer) == 2, "w and b are two things")
    w, b = answer
    assert_shape(w, (x.shape[1],), what="w")
    assert_instance(b, torch.Tensor, what="b")
    require(not w.requires_grad and not b.requires_grad, "what is returned still requires a gradient")
    assert_close_to([w, b], list(reference.fit_svm(x, y, 0.3, 0.1, steps)), rtol=1e-8, atol=1e-10, what="w and b")


@pytest.mark.marks("0.25")
@pytest.mark.depends("test_hinge", "test_sgd_momentum", "test_minimise")
@pytest.mark.hint("The first step from w = 0 and b = 0 by hand. What does the regulariser pull at, and how strongly?")
@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_fit_svm(student, reference, rng, epochs):
    """`fit_svm` should walk down the regularised hinge loss of all examples, from zero."""
    x = draw(rng, 20, 3) + 0.5
    y = torch.where(x[:, 0] + 0.3 * draw(rng, 20) > 0.5, 1.0, -1.0).double()
    assert_svm(student, reference, x, y, epochs, epochs=epochs, batch_size=20)


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_fit_svm", "test_batches_cover_everything")
@pytest.mark.hint("How many steps are 3 epochs of 10 examples in batches of 4?")
def test_fit_svm_batches(student, reference, rng):
    """`fit_svm` should take one step for each mini-batch."""
    x = draw(rng, 1, 3).expand(10, 3).contiguous()  # all alike, so that the order does not matter
    assert_svm(student, reference, x, torch.ones(10, dtype=torch.float64), 9, epochs=3, batch_size=4)


@pytest.mark.marks("0.15")
@pytest.mark.hint("f along the flat direction (cos alpha, sin alpha), and across it. Is the angle in radians?")
@pytest.mark.parametrize("turned", [False, True], ids=["alpha = 0", "alpha > 0"])
def test_quadratic(student, reference, rng, turned):
    """`quadratic` should give a valley of its condition number and direction, differentiable."""
    kappa, alpha = float(5 + 20 * torch.rand((), generator=rng)), 0.2 + float(torch.rand((), generator=rng))
    f = student.quadratic(kappa, alpha) if turned else student.quadratic(kappa)
    alpha = alpha if turned else 0.0
    x = draw(rng, 2)
    assert_close_to(f(x), reference.valley(x, kappa, alpha), rtol=1e-8)
    answer = library(student, "torch.autograd.functional.vjp")(f, x)
    assert_instance(answer, tuple, what="value and gradient")
    require(len(answer) == 2, "value and gradient are two things")
    assert_close_to(answer[1], reference.hessian(kappa, alpha) @ x, rtol=1e-8, atol=1e-10, what="the gradient")


@pytest.mark.marks("0.15")
@pytest.mark.timeout(10)
@pytest.mark.hint("Write out the losses before and after each step. After which is it small enough, for the first time?")
@pytest.mark.parametrize("needed", [0, 1, 8])
def test_steps_needed(student, reference, rng, needed):
    """`steps_needed` should count the steps until the loss is small enough, leave the start alone, and give up in time."""
    start, target, lr = draw(rng, 4), draw(rng, 4), 0.3
    losses = reference.losses_of_descent(start, target, lr, 9)
    tolerance = math.sqrt(losses[needed] * losses[needed - 1]) if needed else losses[0] * 1.1
    named = {
        "loss": partial(student, library(student, "torch.nn.functional.mse_loss"), target=target),
        "make_optimiser": partial(student, library(student, "torch.optim.SGD"), lr=lr),
    }
    # batch_size=None hands the row itself to the function, so a change of it shows in the loader's dataset.
    for limit, right in ((20, needed), (5, min(needed, 5))):
        count = partial(student, student.steps_needed, **named, tolerance=tolerance, limit=limit)
        loader = library(student, "torch.utils.data.DataLoader")(start[None], batch_size=None, collate_fn=count)
        answer = next(iter(loader))
        assert_instance(answer, int, what="the number of steps")
        assert_close_to(answer, right, what="the number of steps")
        assert_close_to(loader.dataset, start[None], what="the start, afterwards,")
