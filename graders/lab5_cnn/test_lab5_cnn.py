"""Hidden tests of lab 5. Stubs of models are built in the student's process, from torch's own modules."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from assessor.grading.proxy import library
from assessor.grading.tolerances import WrongAnswer, assert_close_to, assert_dtype, assert_instance, assert_shape
from gpu_runner.errors import StudentCodeError

SIGMAS = 8.0
"""Standard errors allowed: a right sampler fails once in 10^15."""
GEOMETRIES = [((3, 3), 1, 0), ((3, 3), 1, 1), ((3, 3), 2, 1), ((2, 4), 1, 0), ((5, 3), 3, 2), ((1, 1), 2, 0)]


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def between(rng, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)


def whole(rng, high, *shape):
    return torch.randint(high, shape, generator=rng)


@pytest.fixture(autouse=True)
def inputs_lie_on_the_cpu(student):
    """The tests' tensors lie on the CPU wherever the notebook trained, so that a mark depends on no machine."""
    student.device = "cpu"


def transplanted(student, rng, net, example, shapes):
    """Gives a student's network weights of ours, each to the parameter of its shape, and puts it into eval mode.

    Returns:
        the weights by their shape.
    """
    net.double().eval()
    net(example)  # a lazy layer finds its shape
    found = []
    for item in net.named_parameters():
        assert_instance(item, tuple, what="a named parameter")
        assert_instance(item[1], torch.Tensor, what="a parameter")
        found.append((tuple(item[1].shape), item[0]))
    theirs, right = sorted(shape for shape, _ in found), sorted(shapes)
    assert theirs == right, f"the parameters have the shapes {theirs}"
    weights = {shape: draw(rng, *shape) / math.sqrt(math.prod(shape[1:])) for shape in shapes}
    net.load_state_dict({name: weights[shape] for shape, name in found}, strict=False)
    return weights


def sequential(student, *layers):
    """A torch.nn.Sequential over there of ("Linear", 3, 4) and the like, and its twin here, with the same state."""
    theirs = [library(student, f"torch.nn.{name}")(*settings) for name, *settings in layers]
    ours = nn.Sequential(*(getattr(nn, name)(*settings) for name, *settings in layers))
    model = library(student, "torch.nn.Sequential")(*theirs)
    model.load_state_dict(dict(ours.state_dict()))
    return model, ours


def state_of(model):
    state = model.state_dict()
    assert_instance(state, dict, what="the state of the model")
    return state


@contextmanager
def library_convolution_taken_away(student):
    """While it is open, PyTorch's convolution does not work over there: who convolves by hand does not notice.

    In this process neither where the tests of ours run without a sandbox: what is expected is computed before.
    """
    places = [(library(student, path), name) for path, name in (("torch.nn.functional", "conv2d"), ("torch", "conv2d"))]
    originals = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, None)
    try:
        yield
    except StudentCodeError as error:
        text = "without PyTorch's own convolution your function raises an error"
        raise WrongAnswer(text, f"{error.type_name}: {error.message}") from None
    finally:
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


def vjp(student, function, inputs, upstream):
    """Value and gradients of a student's function, gradient from further up given."""
    answer = library(student, "torch.autograd.functional.vjp")(function, inputs, upstream)
    assert_instance(answer, tuple, what="value and gradients")
    assert len(answer) == 2, "value and gradients are two things"
    return answer


@pytest.mark.marks("0.1")
@pytest.mark.timeout(10)
@pytest.mark.hint("How many zeros are there in all, and what becomes of a place where the kernel would stick out?")
def test_output_size(student, reference, rng):
    """`output_size` should count the places where the kernel lies inside."""
    for _ in range(12):
        kernel, stride, padding = (int(one) for one in whole(rng, 4, 3))
        case = (kernel + 1 + int(whole(rng, 9)), kernel + 1, stride + 1, padding)
        assert_close_to(student.output_size(*case), reference.output_size(*case))


@pytest.mark.marks("0.54")
@pytest.mark.hint("Write out one output number by hand: stride 2, padding 1, a kernel that is not square. Is every term there?")
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_convolve(student, reference, rng, geometry):
    """`convolve` should give PyTorch's numbers for every kernel, stride and padding."""
    kernel, stride, padding = geometry
    x, weight, bias = draw(rng, 2, 3, 7, 9), draw(rng, 4, 3, *kernel), draw(rng, 4)
    expected = reference.convolve(x, weight, bias, stride, padding)
    without_bias = reference.convolve(x, weight, None, stride, padding)
    assert_close_to(student.convolve(x, weight, bias, stride, padding), expected)
    with library_convolution_taken_away(student):
        answer = student.convolve(x, weight, bias, stride, padding)
        assert_close_to(answer, expected)
        assert_dtype(answer, torch.float64)
        answer = student.convolve(x, weight, stride=stride, padding=padding)
        assert_close_to(answer, without_bias, what="your result without bias")


@pytest.mark.marks("0.1")
@pytest.mark.hint("The same kernel is used at every place; does any number of yours depend on the place?")
@pytest.mark.parametrize("stride", [1, 2])
def test_convolve_moves_with_its_input(student, rng, stride):
    """`convolve` should move its output when the input moves."""
    weight = draw(rng, 2, 1, 3, 3)
    x = torch.zeros(1, 1, 14, 14, dtype=torch.float64)
    x[..., 4:8, 3:7] = draw(rng, 4, 4)
    here = student.convolve(x, weight, None, stride, 2)
    there = student.convolve(x.roll((2 * stride, stride), (2, 3)), weight, None, stride, 2)
    assert_instance(here, torch.Tensor)
    assert here.ndim == 4 and bool((here != 0).any()), "your result is 0 everywhere"
    assert_close_to(there, here.roll((2, 1), (2, 3)), what="your result for the input that was moved")


@pytest.mark.marks("0.15")
@pytest.mark.hint("Stay with torch's operations on the tensors that you were given: no .data, .detach(), .item(), numpy.")
def test_convolve_gradients(student, reference, rng):
    """`convolve` should let gradients through to pictures, kernels and bias."""
    inputs = draw(rng, 2, 2, 5, 6), draw(rng, 3, 2, 3, 2), draw(rng, 3)
    upstream = draw(rng, 2, 3, 3, 5)
    _, theirs = vjp(student, student.convolve, inputs, upstream)
    assert_instance(theirs, tuple, what="the gradients")
    assert len(theirs) == 3, "there is one gradient for each input"
    _, ours = torch.autograd.functional.vjp(lambda x, w, b: reference.convolve(x, w, b, 1, 0), inputs, upstream)
    for what, mine, right in zip(("x", "weight", "bias"), theirs, ours, strict=True):
        assert_close_to(mine, right, rtol=1e-6, atol=1e-9, what=f"the gradient of {what}")


@pytest.mark.marks("0.15")
@pytest.mark.hint("By which number do you divide, how often, and which dtype and axes has the result?")
def test_preprocess(student, rng):
    """`preprocess` should scale each picture by the same constant, once, and add the channel."""
    pictures = whole(rng, 200, 4, 5, 6).to(torch.uint8)
    answer = student.preprocess(pictures)
    assert_shape(answer, (4, 1, 5, 6))
    assert_dtype(answer, torch.float32)
    assert_close_to(answer, pictures[:, None].double() / 255)
    assert_close_to(student.preprocess(0 * pictures[:1]), torch.zeros(1, 1, 5, 6), what="a black picture")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Does each picture have its own shift, do all 2m + 1 values occur alike, and what comes in at the edge?")
@pytest.mark.parametrize("max_shift", [1, 2])
def test_augment_while_training(student, reference, rng, max_shift):
    """`augment` should move each picture by its own shift, all shifts alike, zeros coming in."""
    n, kinds = 800, (2 * max_shift + 1) ** 2
    x = between(rng, 1.0, 2.0, n, 2, 4, 6)
    answer = student.augment(x, max_shift, True)
    assert_dtype(answer, torch.float64)
    assert_shape(answer, x.shape)
    same = (reference.shifts(x, max_shift) == answer).flatten(2).all(dim=2)
    assert bool(same.any(dim=0).all()), f"{int((~same.any(dim=0)).sum())} of {n} pictures are no shift of the given ones"
    p = 1 / kinds
    share = same.double().mean(dim=1)
    assert_close_to(share, torch.full((kinds,), p).double(), rtol=0, atol=SIGMAS * math.sqrt(p * (1 - p) / n),
                    what="how often each shift occurs")  # fmt: skip
    twins = (same[:, 1:] & same[:, :-1]).any(dim=0).double().mean()
    assert_close_to(twins, p, rtol=0, atol=SIGMAS * math.sqrt(2 * p / n), what="how often neighbours are moved alike")


@pytest.mark.marks("0.1")
@pytest.mark.hint("What is measured at test time?")
def test_augment_at_test_time(student, rng):
    """`augment` should change nothing outside of training."""
    x = draw(rng, 30, 1, 5, 4)
    assert_close_to(student.augment(x, 2, training=False), x)


@pytest.mark.marks("0.4")
@pytest.mark.hint("Go through the table line by line. In which order does flatten put channels, rows and columns?")
@pytest.mark.parametrize("n_classes", [10, 7])
def test_digit_cnn(student, reference, rng, n_classes):
    """`DigitCNN` should be the network of the table: with our weights in it, it should give our logits."""
    x = draw(rng, 5, 1, 8, 8)
    net = student.DigitCNN(n_classes)
    weights = transplanted(student, rng, net, x, reference.digit_shapes(n_classes))
    assert_close_to(net(x), reference.digit_logits(x, weights, n_classes), what="the logits")
    assert_close_to(net(50 * x[:1]), reference.digit_logits(50 * x[:1], weights, n_classes), what="the logits of one picture")


@pytest.mark.marks("0.1")
@pytest.mark.hint("Does the answer for a picture depend on which others are in the batch?")
def test_digit_cnn_takes_each_picture_by_itself(student, rng):
    """`DigitCNN` should give each picture its own logits, whatever else is in the batch."""
    net, x = student.DigitCNN().double().eval(), draw(rng, 6, 1, 8, 8)
    together = net(x)
    assert_shape(together, (6, 10), what="the logits")
    assert bool((together[0] != together[1]).any()), "two pictures have the same logits"
    for index in range(6):
        assert_close_to(net(x[index : index + 1]), together[index : index + 1], what="the logits of a picture alone")


@pytest.mark.marks("0.3")
@pytest.mark.hint("One epoch of one batch is one step of Adam: compare it by hand. Which loss of that step is told?")
@pytest.mark.parametrize("epochs", [1, 20])
def test_fit_takes_the_steps_of_adam(student, reference, rng, epochs):
    """`fit` should move the model that it is given as Adam does, and tell the loss of each epoch."""
    model, ours = sequential(student, ("Linear", 3, 4), ("Tanh",), ("Linear", 4, 2))
    lr = float(between(rng, 0.02, 0.05))
    inputs, targets = draw(rng, 10, 3).float(), 3 + draw(rng, 10, 2).float()
    model.eval()
    answer = student.fit(model, inputs, targets, library(student, "torch.nn.functional.mse_loss"), epochs, 10, lr)
    losses = reference.fit(ours, inputs, targets, epochs, lr, nn.functional.mse_loss)
    assert_instance(answer, list)
    assert_close_to(answer, losses, rtol=1e-3, atol=1e-4, what="the losses")
    for name, right in ours.state_dict().items():
        # rounding comes to 1e-6 here, the smallest wrong turn (weight decay) to 2e-3
        assert_close_to(state_of(model).get(name), right, rtol=0, atol=5e-4 if epochs > 1 else 5e-5, what=f"the model's {name}")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Batches: how many an epoch, is the last small one among them, in which order, in which mode is the model?")
def test_fit_goes_through_everything(student, rng):
    """`fit` should see every item once an epoch, in an order drawn anew, in train mode."""
    loss = library(student, "torch.nn.functional.mse_loss")
    inputs, targets = draw(rng, 12, 3).float(), draw(rng, 12, 1).float()
    means = []
    for _ in range(2):
        model, _ = sequential(student, ("BatchNorm1d", 3, 1e-5, 0.3), ("Linear", 3, 1))
        model.eval()
        student.fit(model, inputs, targets, loss, 1, 2)
        means.append(state_of(model).get("0.running_mean"))
    assert_shape(means[0], (3,), what="the model's running mean")
    assert_shape(means[1], (3,), what="the model's running mean")
    assert bool((means[0] != means[1]).any()), "the order is the same in each run"
    for count, epochs, batches in ((12, 2, 6), (11, 3, 9)):
        # with momentum None a layer averages over all batches: over equal ones that is the mean of everything
        model, _ = sequential(student, ("BatchNorm1d", 3, 1e-5, None), ("Linear", 3, 1))
        model.eval()
        student.fit(model, inputs[:count], targets[:count], loss, epochs, batch_size=4, lr=1e-4)
        state = state_of(model)
        assert_close_to(state.get("0.num_batches_tracked"), torch.tensor(batches), what="the batches seen in train mode")
        if count % 4 == 0:
            assert_close_to(state.get("0.running_mean"), inputs.mean(dim=0), rtol=1e-4, atol=1e-5, what="the mean of all seen")


def norm_pair(student, reference, rng):
    """A student's layer and PyTorch's, with the same settings."""
    settings = float(between(rng, 0.05, 0.2)), float(between(rng, 0.15, 0.35))
    weight, bias = between(rng, 0.5, 2.0, 3), draw(rng, 3)
    norm = student.BatchNorm(3, *settings).double()
    norm.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    return norm.train(), reference.batch_norm(*settings, weight, bias)


@pytest.mark.marks("0.25")
@pytest.mark.hint("Over which axes, with which divisor, and where does eps stand? Do gradients flow through mean and variance?")
def test_batch_norm_in_training(student, reference, rng):
    """`BatchNorm` should normalise each channel by its batch, and let the right gradient through."""
    norm, ours = norm_pair(student, reference, rng)
    x, upstream = 2 + draw(rng, 4, 3, 2, 5), draw(rng, 4, 3, 2, 5)
    value, gradient = vjp(student, norm, x, upstream)
    expected = torch.autograd.functional.vjp(ours, x, upstream)
    assert_close_to(value, expected[0])
    assert_close_to(gradient, expected[1], rtol=1e-6, atol=1e-9, what="the gradient of x")
    flat = torch.ones(2, 3, 3, 3, dtype=torch.float64)
    assert_close_to(norm(flat), ours(flat), atol=1e-9, what="your result where all pixels are equal")
    parameters = {item[0]: tuple(item[1].shape) for item in norm.named_parameters()}
    assert parameters == {"weight": (3,), "bias": (3,)}, f"the parameters are {parameters}"


@pytest.mark.marks("0.3")
@pytest.mark.hint("What has the weight m, which variance is kept, and what does eval() change?")
def test_batch_norm_after_training(student, reference, rng):
    """`BatchNorm` should keep running estimates in training, and use them and leave them alone after eval()."""
    norm, ours = norm_pair(student, reference, rng)
    for n in (2, 5, 3):
        x = 1 + 2 * draw(rng, n, 3, 2, 2)
        norm(x), ours(x)
        state = state_of(norm)
        for name in ("running_mean", "running_var"):
            estimate = state.get(name)
            assert_close_to(estimate, getattr(ours, name), rtol=1e-6, atol=1e-9, what=name)
            assert not getattr(norm, name).requires_grad, f"{name} carries a graph"
    norm.eval(), ours.eval()
    for n in (4, 1):
        x = draw(rng, n, 3, 3, 2)
        assert_close_to(norm(x), ours(x), rtol=1e-6, atol=1e-9, what="your result after eval()")
    for name in ("running_mean", "running_var"):
        assert_close_to(state_of(norm).get(name), getattr(ours, name), rtol=1e-6, atol=1e-9, what=f"{name} after eval()")


@pytest.mark.marks("0.08")
@pytest.mark.hint("Maximum over what? Try one picture, one channel, and numbers that are all negative.")
@pytest.mark.parametrize("shape", [(3, 4, 5, 2), (1, 3, 2, 6), (4, 1, 3, 3), (2, 2, 1, 1)], ids=str)
def test_global_max_pool(student, reference, rng, shape):
    """`global_max_pool` should keep the largest number of each channel."""
    x = draw(rng, *shape) - 3
    assert_close_to(student.global_max_pool(x), reference.global_max_pool(x))


@pytest.mark.marks("0.21")
@pytest.mark.hint("Which channel is the row, which number has the last row, and what comes first?")
@pytest.mark.parametrize("shape", [(2, 1, 4, 7), (3, 2, 5, 2), (1, 3, 3, 3)], ids=str)
def test_add_coordinates(student, reference, rng, shape):
    """`add_coordinates` should put row and column, from 0 to 1, behind the channels of every picture."""
    x = draw(rng, *shape)
    answer = student.add_coordinates(x)
    assert_dtype(answer, torch.float64)
    assert_close_to(answer, reference.add_coordinates(x), rtol=1e-5, atol=1e-6)
    assert_dtype(student.add_coordinates(x.float()), torch.float32)


@pytest.mark.marks("0.18")
@pytest.mark.hint("What shape has the difference before it is squared, and over how many numbers is the mean?")
@pytest.mark.parametrize("shape", [(6, 2), (5, 3), (7, 1)], ids=str)
def test_regression_loss(student, rng, shape):
    """`regression_loss` should compare each prediction with its own target, and no other."""
    prediction, target = draw(rng, *shape), draw(rng, *shape)
    expected = (prediction - target).square().mean()
    for given in [target, target[:, 0]] if shape[1] == 1 else [target]:
        loss, gradients = vjp(student, student.regression_loss, (prediction, given), torch.ones((), dtype=torch.float64))
        assert_close_to(loss, expected)
        assert_instance(gradients, tuple, what="the gradients")
        assert len(gradients) == 2, "there is one gradient for each input"
        assert_close_to(gradients[0], 2 * (prediction - target) / target.numel(), rtol=1e-6, atol=1e-9,
                        what="the gradient of the prediction")  # fmt: skip


@pytest.mark.marks("0.2")
@pytest.mark.timeout(10)
@pytest.mark.hint("In which mode is the model asked, over what is the mean, when is the root drawn, and what is left behind?")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_rms_errors(student, reference, rng, training):
    """`rms_errors` should judge the model in eval mode over all items, whatever the batches, and restore its mode."""
    model, ours = sequential(student, ("BatchNorm1d", 3), ("Dropout", 0.5), ("Linear", 3, 2))
    model.double().train(training)
    inputs, targets = 1 + 2 * draw(rng, 13, 3), draw(rng, 13, 2)
    with torch.no_grad():
        expected = reference.rms_errors(ours.double().eval()(inputs), targets)
    for batch_size in (5, 13, 100):
        answer = student.rms_errors(model, inputs, targets, batch_size)
        assert_close_to(answer, expected, rtol=1e-6, atol=1e-9)
        assert not answer.requires_grad, "the result carries a graph"
        assert model.training is training, "the model is left in another mode"


LINE_NETS = [
    *(("plain", (24, 24)), ("plain", (16, 16)), ("gmp", (24, 24))),
    *(("gmp", (12, 8)), ("coords", (24, 24)), ("coords", (12, 8))),
]


@pytest.mark.marks("0.24")
@pytest.mark.depends("test_global_max_pool", "test_add_coordinates")
@pytest.mark.hint("Go through the table column by column. Only the plain network may depend on dim.")
@pytest.mark.parametrize(("kind", "size"), LINE_NETS, ids=str)
def test_line_net(student, reference, rng, kind, size):
    """`LineNet` should be the three networks of the table: with our weights in it, it should give our outputs."""
    x = draw(rng, 3, 1, *size)
    net = student.LineNet(kind, size[0])
    weights = transplanted(student, rng, net, x, reference.line_shapes(kind, size[0]))
    assert_close_to(net(x), reference.line_outputs(x, weights, kind), rtol=1e-6, atol=1e-7, what="the output")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_line_net")
@pytest.mark.hint("Which of the three networks may know where in the picture something is?")
def test_line_net_and_moved_pictures(student, rng):
    """`LineNet` should not see a picture's place with "gmp", and should see it with the others."""
    x = torch.zeros(2, 1, 32, 32, dtype=torch.float64)
    x[:, :, 12:20, 12:20] = 20.0 * whole(rng, 2, 2, 1, 8, 8)  # bright, so that the ink and not the paper has the maxima
    for kind, sees in (("plain", True), ("gmp", False), ("coords", True)):
        net = student.LineNet(kind, 32).double().eval()
        here, there = net(x), net(x.roll((6, -4), (2, 3)))
        assert_shape(here, (2, 2), what="the output")
        assert_shape(there, (2, 2), what="the output")
        assert float((here[0] - here[1]).abs().max()) > 0, f"the {kind} network answers the same for two pictures"
        moved = float((here - there).detach().abs().max()) > 1e-7
        assert moved is sees, f"the {kind} network {'cannot tell' if sees else 'can tell'} where a thing is"


@pytest.mark.marks("0.1")
@pytest.mark.hint("Ask the tensor that you are given for its device (x.device), not the notebook.")
def test_functions_follow_their_inputs(student, rng):
    """Every function should work on the device of its inputs, whatever the notebook's `device` is."""
    student.device = "meta"  # no device of any machine
    x = draw(rng, 2, 1, 8, 8)
    for answer, shape in (
        (student.add_coordinates(x), (2, 3, 8, 8)),
        (student.global_max_pool(x), (2, 1)),
        (student.augment(x, 1, True), (2, 1, 8, 8)),
        (student.convolve(x, draw(rng, 1, 1, 3, 3)), (2, 1, 6, 6)),
        (student.LineNet("coords", 8).double()(x), (2, 2)),
    ):
        assert_shape(answer, shape)
        assert_close_to(answer.isnan().any(), torch.tensor(False), what="whether there is NaN in your result")
    model, ours = sequential(student, ("Linear", 3, 2))
    inputs, targets = draw(rng, 5, 3).float(), draw(rng, 5, 2).float()
    assert_shape(student.rms_errors(model, inputs, targets), (2,))
    student.fit(model, inputs, targets, library(student, "torch.nn.functional.mse_loss"), 1)
    assert bool((state_of(model)["0.weight"] != ours[0].weight).any()), "fit trains no model on the CPU"
