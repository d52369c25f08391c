"""Hidden tests of lab 4. Stub models and loaders are built in the student's process, from torch's own classes."""

import math

import pytest
import torch
from torch import nn

from assessor.grading.proxy import library
from assessor.grading.tolerances import assert_close_to, assert_dtype, assert_instance, assert_shape, require
from gpu_runner.errors import StudentCodeError

SIGMAS = 8.0
"""Standard errors allowed: a right sampler fails once in 10^15."""
SPIRAL_POINTS = 300


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def whole(rng, high, *shape):
    return torch.randint(high, shape, generator=rng)


@pytest.fixture(autouse=True)
def inputs_lie_on_the_cpu(student):
    """The tests' tensors lie on the CPU wherever the notebook trained, so that a mark depends on no machine."""
    student.device = "cpu"


def loader_of(student, x, target, batch_size, shuffle=False):
    """A DataLoader in the student's process."""
    pairs = library(student, "torch.utils.data.TensorDataset")(x, target)
    return library(student, "torch.utils.data.DataLoader")(pairs, batch_size=batch_size, shuffle=shuffle)


def sequential(student, *layers):
    """A torch.nn.Sequential over there of ("Linear", 3, 4) and the like, and its twin here; same state, float64."""
    theirs = [library(student, f"torch.nn.{name}")(*settings) for name, *settings in layers]
    ours = nn.Sequential(*(getattr(nn, name)(*settings) for name, *settings in layers)).double()
    model = library(student, "torch.nn.Sequential")(*theirs).double()
    model.load_state_dict(dict(ours.state_dict()))
    return model, ours


def passed_on(student, classes):
    """A model over there whose logits are its inputs."""
    model = library(student, "torch.nn.Linear")(classes, classes, bias=False).double()
    model.load_state_dict({"weight": torch.eye(classes, dtype=torch.float64)})
    return model


def state_of(model):
    state = model.state_dict()
    assert_instance(state, dict, what="the state of the model")
    return state


def parameters_of(net):
    """Names and values of a student's parameters."""
    found = list(net.named_parameters())
    for item in found:
        assert_instance(item, tuple, what="a named parameter")
        assert_instance(item[1], torch.Tensor, what="a parameter")
    return dict(found)


def transplanted(student, sizes, weights, biases, p=0.0):
    """A student's MLP in float64 with weights of ours, each in the parameter of its shape."""
    net = student.MLP(sizes, p).double()
    ours = {tuple(value.shape): value for value in (*weights, *biases)}
    found = {name: tuple(value.shape) for name, value in parameters_of(net).items()}
    theirs = sorted(found.values())
    require(theirs == sorted(ours), f"the parameters have the shapes {theirs}")
    net.load_state_dict({name: ours[shape] for name, shape in found.items()}, strict=False)
    return net


def assert_drop_rate(dropped, p):
    """Asserts that elements were dropped at a rate of p, in every row and in every column.

    Shape:
        dropped: (N, D) bool
    """
    for dim, what in ((None, "of all elements"), (0, "of some unit over the examples"), (1, "of some example")):
        n = dropped.numel() if dim is None else dropped.shape[dim]
        share = dropped.double().mean(dim) if dim is not None else dropped.double().mean()
        wrong = (share - p).abs() > SIGMAS * math.sqrt(p * (1 - p) / n)
        require(not bool(wrong.any()), f"the share that is dropped {what} is not p")


@pytest.mark.marks("0.2")
@pytest.mark.forbids("torch.nn.functional.dropout", "torch.dropout", "torch.native_dropout")
@pytest.mark.hint("Which share is 0, what do the others become, and when does nothing happen? Look at p = 0 and p = 1 too.")
@pytest.mark.parametrize("p", [0.0, 0.2, 0.7, 1.0])
def test_dropout(student, rng, p):
    """`dropout` should drop each element with probability p, scale up the others, and do nothing after training."""
    x = 1 + torch.rand(300, 200, generator=rng, dtype=torch.float64)
    assert_close_to(student.dropout(x, p, False), x, what="your result after training")
    y = student.dropout(x, p, True)
    assert_dtype(y, torch.float64)
    assert_shape(y, x.shape)
    require(not bool(y.isnan().any()), "your result contains NaN")
    dropped = y == 0
    assert_drop_rate(dropped, p)
    kept = x / (1 - p) if p < 1 else x
    assert_close_to(y, torch.where(dropped, 0.0, kept))


@pytest.mark.marks("0.1")
@pytest.mark.hint("Stay with torch's operations, and do not change the tensor that you were given.")
def test_dropout_gradient(student, rng):
    """`dropout` should pass gradients through what it keeps, and leave its input alone."""
    x, upstream = draw(rng, 40, 20), draw(rng, 40, 20)
    partial = library(student, "torch.overrides.functools.partial")(student.dropout, p=0.5, training=True)
    answer = library(student, "torch.autograd.functional.vjp")(partial, x, upstream)
    assert_instance(answer, tuple, what="value and gradient")
    require(len(answer) == 2, "value and gradient are two things")
    y, slope = answer
    assert_shape(y, x.shape)
    assert_close_to(slope, torch.where(y == 0, 0.0, 2 * upstream), what="the gradient")


@pytest.mark.marks("0.3")
@pytest.mark.hint("sum(p.numel() for p in net.parameters()): does PyTorch know of every layer, and has each a weight and a bias?")
@pytest.mark.parametrize("sizes", [(5, 7, 3), (6, 9, 8, 4), (4, 2)], ids=str)
def test_mlp_parameters(student, sizes):
    """`MLP` should have one weight matrix and one bias for each layer, all of them registered."""
    net = student.MLP(list(sizes))
    shapes = sorted(tuple(value.shape) for value in parameters_of(net).values())
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    require(shapes == sorted([*pairs, *((n_out,) for n_out, _ in pairs)]), f"the parameters have the shapes {shapes}")


@pytest.mark.marks("0.3")
@pytest.mark.hint("Write out the formula for two hidden layers. What comes after the last one, and what may the logits be?")
@pytest.mark.parametrize("sizes", [(5, 7, 3), (6, 9, 8, 4), (4, 2)], ids=str)
def test_mlp_computes(student, reference, rng, sizes):
    """`MLP` should compute the formula in eval mode, for any number of layers and of examples."""
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights, biases = [draw(rng, *pair) for pair in pairs], [draw(rng, n_out) for n_out, _ in pairs]
    net = transplanted(student, list(sizes), weights, biases, p=0.5).eval()
    for n in (1, 6):
        x = draw(rng, n, sizes[0])
        logits = net(x)
        assert_dtype(logits, torch.float64, what="the logits")
        assert_close_to(logits, reference.mlp(x, weights, biases), what="the logits")


@pytest.mark.marks("0.3")
@pytest.mark.hint("Where does the net learn that it is training? Which share of the hidden units is 0, how large is the rest?")
@pytest.mark.parametrize("p", [0.0, 0.2, 0.6])
def test_mlp_dropout(student, p):
    """`MLP` should drop hidden units, and nothing else, with probability p while it is in train mode."""
    n, width = 250, 200
    weights = [torch.ones(width, 1, dtype=torch.float64), torch.eye(width, dtype=torch.float64)]
    biases = [torch.zeros(width, dtype=torch.float64), torch.ones(width, dtype=torch.float64)]
    net = student.MLP([1, width, width], p).double()
    state = {}
    for name, value in parameters_of(net).items():
        pool = biases if value.ndim == 1 else [one for one in weights if one.shape == value.shape]
        require(pool, f"a parameter has the shape {tuple(value.shape)}")
        state[name] = pool.pop(0) if value.ndim == 1 else pool[0]
    net.load_state_dict(state, strict=False)
    x = torch.ones(n, 1, dtype=torch.float64)
    net.train()
    hidden = net(x)
    assert_shape(hidden, (n, width), what="the logits")
    hidden = hidden - 1
    dropped = hidden.abs() < 1e-9
    assert_drop_rate(dropped, p)
    assert_close_to(hidden, torch.where(dropped, 0.0, 1 / (1 - p)).double(), atol=1e-9, what="a hidden unit")
    net.eval()
    assert_close_to(net(x), torch.full((n, width), 2.0, dtype=torch.float64), what="the logits in eval mode")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_train_takes_the_steps")
@pytest.mark.hint("Print the parameters of two new networks, and again after an epoch of training: which have not moved?")
def test_mlp_starts_alive(student, rng):
    """`MLP` should start from random weights, each time others, and every parameter should learn."""
    first, second = (student.MLP([6, 24, 16, 4]) for _ in range(2))
    before = parameters_of(first)
    require(before, "there are no parameters")
    for (name, value), other in zip(before.items(), parameters_of(second).values(), strict=True):
        if value.ndim == 2:
            require(len(value.unique(dim=0)) == len(value), f"units of {name} start alike, and alike they will stay")
            require(not torch.equal(value, other), f"{name} is the same in each new network")
    student.train(first, loader_of(student, draw(rng, 60, 6).float(), whole(rng, 4, 60), 20), 1, 0.1)
    for name, value in parameters_of(first).items():
        require(not torch.equal(value, before[name]), f"{name} does not move in training")


@pytest.mark.marks("0.3")
@pytest.mark.hint("One row by hand; then logits of 1000. Along which axis is the sum, along which the mean?")
@pytest.mark.parametrize("size", [1.0, 30.0, 1000.0])
def test_cross_entropy(student, reference, rng, size):
    """`cross_entropy` should be the mean of -log softmax at the right class, and finite for large logits."""
    logits, target = size * draw(rng, 7, 5), whole(rng, 5, 7)
    answer = student.cross_entropy(logits, target)
    assert_dtype(answer, torch.float64)
    assert_close_to(answer, reference.cross_entropy(logits, target))
    partial = library(student, "torch.overrides.functools.partial")(student.cross_entropy, target=target)
    answer = library(student, "torch.autograd.functional.vjp")(partial, logits)
    assert_instance(answer, tuple, what="value and gradient")
    require(len(answer) == 2, "value and gradient are two things")
    assert_close_to(answer[1], reference.cross_entropy_slope(logits, target), atol=1e-9, what="the gradient")


@pytest.mark.marks("0.4")
@pytest.mark.hint("Write one step out by hand, then two. What has to happen once, what each epoch, what each batch?")
@pytest.mark.parametrize("epochs", [1, 3])
def test_train_takes_the_steps(student, reference, rng, epochs):
    """`train` should take the steps of SGD with momentum, in train mode, batch by batch."""
    model, twin = sequential(student, ("Linear", 4, 9), ("BatchNorm1d", 9), ("ReLU",), ("Linear", 9, 3))
    x, target = draw(rng, 10, 4), whole(rng, 3, 10)
    reference.train(twin, zip(x.split(4), target.split(4), strict=True), epochs, 0.1)
    model.eval()
    student.train(model, loader_of(student, x, target, 4), epochs, 0.1)
    assert_close_to(state_of(model), dict(twin.state_dict()), rtol=1e-7, atol=1e-9, what="the trained model")


@pytest.mark.marks("0.2")
@pytest.mark.hint("The worked example above `train`; and what does loss.item() do that loss does not?")
def test_train_history(student, reference, rng):
    """`train` should return the mean loss over the examples of each epoch, as plain floats."""
    model, twin = sequential(student, ("Linear", 4, 8), ("ReLU",), ("Linear", 8, 3))
    x, target = draw(rng, 11, 4), whole(rng, 3, 11)
    expected = reference.train(twin, zip(x.split(4), target.split(4), strict=True), 4, 0.1)
    history = student.train(model, loader_of(student, x, target, 4), 4, 0.1)
    assert_instance(history, list)
    for value in history:
        assert_instance(value, float, what="a loss")
    assert_close_to(history, expected, rtol=1e-7, atol=1e-9, what="the history")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Ten examples in batches of four: what is counted, and by what is it divided?")
@pytest.mark.parametrize("batch_size", [1, 4])
def test_accuracy(student, reference, rng, batch_size):
    """`accuracy` should be the share of right predictions among the examples of the loader it is given."""
    logits, target = draw(rng, 23, 5), whole(rng, 5, 23)
    target[:10] = logits[:10].argmax(dim=1)
    answer = student.accuracy(passed_on(student, 5), loader_of(student, logits, target, batch_size))
    assert_instance(answer, float)
    assert_close_to(answer, reference.accuracy(logits, target), rtol=1e-6)


@pytest.mark.marks("0.2")
@pytest.mark.depends("test_accuracy")
@pytest.mark.hint("Which mode must the model be in, in which was it found, and does a graph have to be built?")
@pytest.mark.parametrize("training", [True, False], ids=["found in train mode", "found in eval mode"])
def test_accuracy_leaves_no_trace(student, reference, rng, training):
    """`accuracy` should measure in eval mode, without a graph, and give the model back in the mode it was found in."""
    logits, target = draw(rng, 64, 5), whole(rng, 5, 64)
    target[:48] = logits[:48].argmax(dim=1)
    loader = loader_of(student, logits, target, 64)
    dropping = library(student, "torch.nn.Sequential")(passed_on(student, 5), library(student, "torch.nn.Dropout")(0.9))
    dropping.train(training)
    answer = student.accuracy(dropping, loader)
    assert_close_to(answer, reference.accuracy(logits, target), rtol=1e-6, what="the accuracy of a net with dropout")
    mode = dropping.training
    assert_instance(mode, bool, what="the mode")
    require(mode is training, "afterwards the model is in another mode")
    # What a leaf is overwritten with it gives back; where a graph is built torch refuses that.
    careful = library(student, "torch.nn.Linear")(5, 64).double()
    careful.forward = library(student, "operator.attrgetter")("weight.copy_")(careful)
    try:
        answer = student.accuracy(careful, loader)
    except StudentCodeError as fault:
        require("a leaf Variable that requires grad" not in fault.message, "a graph was built")
        raise
    assert_close_to(answer, reference.accuracy(logits, target), rtol=1e-6)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Rows are the right classes. Is the matrix K by K when the last class is missing?")
@pytest.mark.parametrize("seen", [6, 4], ids=["all classes", "the last classes missing"])
def test_confusion(student, reference, rng, seen):
    """`confusion` should count in rows of right and columns of predicted classes, those that do not occur included."""
    predicted, target = whole(rng, seen, 50), whole(rng, seen, 50)
    answer = student.confusion(predicted, target, 6)
    assert_dtype(answer, torch.int64)
    assert_close_to(answer, reference.confusion(predicted, target, 6))


@pytest.mark.marks("0.2")
@pytest.mark.hint("Of all that is of class i, how much was recognised? And where nothing is of class i?")
def test_recall(student, reference, rng):
    """`recall` should divide by the number of examples of each class, and be NaN where there are none."""
    matrix = whole(rng, 9, 5, 5) + 1
    assert_close_to(student.recall(matrix), reference.recall(matrix))
    matrix[2] = 0
    matrix[:, 4] = 0
    assert_close_to(student.recall(matrix), reference.recall(matrix))


@pytest.mark.marks("0.3")
@pytest.mark.hint("Which model does the optimiser know, which data does evaluate look at, which of the entries is meant?")
def test_fit_trial(student, reference, rng):
    """`fit_trial` should train like `train`, and measure the trained model on the test loader."""
    # float32, to which a Trial turns its inputs
    model, twin = sequential(student, ("Linear", 4, 9), ("BatchNorm1d", 9), ("ReLU",), ("Linear", 9, 3))
    model.float()
    twin.float()
    x, target = draw(rng, 15, 4).float(), whole(rng, 3, 15)
    x_test, target_test = draw(rng, 61, 4).float(), whole(rng, 3, 61)
    losses = reference.train(twin, zip(x.split(5), target.split(5), strict=True), 3, 0.1)
    loaders = loader_of(student, x, target, 5), loader_of(student, x_test, target_test, 8)
    answer = student.fit_trial(model, *loaders, 3, 0.1)
    assert_instance(answer, (tuple, list))
    require(len(answer) == 2, "losses and test accuracy are two things")
    assert_close_to(state_of(model), dict(twin.state_dict()), rtol=1e-4, atol=1e-5, what="the trained model")
    assert_instance(answer[0], list, what="the losses")
    assert_close_to(answer[0], losses, rtol=1e-4, what="the losses")
    with torch.no_grad():
        expected = reference.accuracy(twin.eval()(x_test), target_test)
    assert_close_to(answer[1], expected, rtol=1e-5, what="the test accuracy")


@pytest.mark.marks("0.3")
@pytest.mark.timeout(10)
@pytest.mark.hint("How many labels changed, where do they stand, what has become of those of one class, and of your input?")
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_corrupt(student, rng, fraction):
    """`corrupt` should replace exactly the given share, chosen evenly, each by one of the other classes evenly."""
    n, classes = 5001, 5
    target = whole(rng, classes, n)
    partial = library(student, "torch.overrides.functools.partial")(student.corrupt, fraction=fraction, classes=classes)
    # batch_size=None hands the row itself to the function, so a change of it shows in the loader's dataset.
    loader = library(student, "torch.utils.data.DataLoader")(target[None], batch_size=None, collate_fn=partial)
    spoilt = next(iter(loader))
    assert_dtype(spoilt, torch.int64)
    assert_shape(spoilt, (n,))
    assert_close_to(loader.dataset, target[None], what="the labels that you were given, afterwards,")
    changed = spoilt != target
    require(int(changed.sum()) == round(fraction * n), f"{int(changed.sum())} of {n} labels are wrong, for {fraction}")
    half = changed[: n // 2].double().mean()
    spread = math.sqrt(fraction * (1 - fraction) / (n // 2))
    require(abs(half - fraction) <= SIGMAS * spread + 1 / n, "the wrong labels are not spread evenly over the examples")
    shift = (spoilt - target)[changed] % classes
    for distance in range(1, classes):
        share = (shift == distance).double().mean() if len(shift) else 0.25
        bound = SIGMAS * math.sqrt(3 / 16 / max(len(shift), 1))
        require(abs(share - 0.25) <= bound, "the other classes are not equally likely")
    again = student.corrupt(target, fraction, classes)
    assert_shape(again, (n,))
    require(fraction in (0, 1) or not torch.equal(again != target, changed), "two calls spoil the same labels")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Ask for one width alone, then for it among others: what does the second network inherit from the first?")
def test_width_experiment_numbers_stand_alone(student, rng):
    """`width_experiment` should give each (seed, width) a number that depends on nothing else that was asked for."""
    training = draw(rng, 120, 5).float(), whole(rng, 3, 120)
    testing = draw(rng, 150, 5).float(), whole(rng, 3, 150)

    def run(widths, seeds):
        answer = student.width_experiment(training, testing, widths, seeds, epochs=4, lr=0.1, classes=3)
        assert_shape(answer, (len(seeds), len(widths), 2))
        return answer

    table = run([3, 20, 11], [7, 1])
    require(not torch.equal(table[0], table[1]), "two seeds give the same numbers")
    require(not torch.equal(table[:, 0], table[:, 1]), "two widths give the same numbers")
    assert_close_to(run([11, 3], [1]), table[1:, [2, 0]], atol=1e-6, what="the numbers of one seed alone")
    assert_close_to(run([20], [1, 7]), table[[1, 0]][:, [1]], atol=1e-6, what="the numbers of one width alone")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_train_takes_the_steps", "test_accuracy")
@pytest.mark.hint("Which accuracy comes first, on which data is each measured, and with whose labels?")
def test_width_experiment_measures(student, rng):
    """`width_experiment` should measure on the training set, then on the test set, with the labels as given."""
    # Four places only, so that wrong labels cannot be learnt by heart: 80 % is all there is to get,
    # and whoever got it is right about 30 % of the test set, where most of the labels are others.
    places, target = 3 * torch.eye(4).repeat(25, 1), torch.arange(4).repeat(25)
    training = places, torch.where(torch.arange(100) < 80, target, (target + 1) % 4)
    testing = places[:80], torch.where(torch.arange(80) < 24, target[:80], (target[:80] + 2) % 4)
    answer = student.width_experiment(training, testing, [16, 24], [int(whole(rng, 1000))], epochs=30, lr=0.1, classes=4)
    assert_shape(answer, (1, 2, 2))
    assert_close_to(answer, torch.tensor([0.8, 0.3]).expand(1, 2, 2), atol=1e-6)


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_mlp_computes", "test_train_takes_the_steps")
@pytest.mark.hint("Spirals are no matter for a linear model. Do the tests of the parts pass?")
def test_trained_on_spirals(student, reference, calibrated):
    """`MLP` and `train` together should learn three spirals that they have not seen before."""

    def run(seed):
        points, arms = reference.spirals(2 * SPIRAL_POINTS, 3, torch.Generator().manual_seed(seed))
        loader = loader_of(student, points[:SPIRAL_POINTS], arms[:SPIRAL_POINTS], 50, shuffle=True)
        library(student, "torch.manual_seed")(seed)
        net = student.MLP([2, 48, 48, 3])
        student.train(net, loader, 30, 0.1)
        net.eval()
        logits = net(points[SPIRAL_POINTS:])
        assert_shape(logits, (SPIRAL_POINTS, 3), what="the logits")
        return reference.accuracy(logits, arms[SPIRAL_POINTS:])

    calibrated("accuracy on spirals", run)
