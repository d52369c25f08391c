"""Hidden tests of lab 7. Stubs of models are built in the student's process, from torch's own modules."""

import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from assessor.grading.proxy import library
from assessor.grading.tolerances import WrongAnswer, assert_close_to, assert_dtype, assert_instance, assert_shape
from gpu_runner.errors import StudentCodeError

SIGMAS = 9.0
"""Standard errors allowed: a right sampler fails once in 10^18."""
CELLS = ("lstm_cell", "gru_cell", "lstm", "gru", "rnn_tanh_cell")


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def between(rng, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)


def whole(rng, high, *shape):
    return torch.randint(high, shape, generator=rng)


def some_lengths(rng, batch, n_steps):
    """Lengths from 1 to n_steps: the first is 1, the last is n_steps."""
    lengths = 1 + whole(rng, n_steps, batch)
    lengths[0], lengths[-1] = 1, n_steps
    return lengths


@pytest.fixture(autouse=True)
def inputs_lie_on_the_cpu(student):
    """The tests' tensors lie on the CPU wherever the notebook trained, so that a mark depends on no machine."""
    student.device = "cpu"


@contextmanager
def library_cells_taken_away(student):
    """While it is open PyTorch's recurrent cells do not work over there: who writes the equations does not notice.

    In this process neither where tests of ours run without a sandbox: what is expected is computed before.
    """
    places = [(library(student, path), name) for path in ("torch", "torch._VF") for name in CELLS]
    originals = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, None)
    try:
        yield
    except StudentCodeError as error:
        text = "without PyTorch's own recurrent cells your code raises an error"
        raise WrongAnswer(text, f"{error.type_name}: {error.message}") from None
    finally:
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


def vjp(student, function, inputs, upstream):
    """Value and gradients of a student's function, the gradient from further up given."""
    answer = library(student, "torch.autograd.functional.vjp")(function, inputs, upstream)
    assert_instance(answer, tuple, what="value and gradients")
    assert len(answer) == 2, "value and gradients are two things"
    return answer


def graph_module(student, modules, build):
    """A torch.fx.GraphModule over there: `build(graph)` writes what it does, `modules` are what it may call."""
    graph = library(student, "torch.fx.Graph")()
    graph.output(build(graph))
    return library(student, "torch.fx.GraphModule")(library(student, "torch.nn.ModuleDict")(modules), graph)


def pair_of(answer, what):
    assert_instance(answer, (tuple, list), what=what)
    assert len(answer) == 2, f"{what} has {len(answer)} items, where 2 were expected"
    return answer


def random_chain(rng, n_symbols, *, gaps=False):
    chain = between(rng, 0.2, 1.0, n_symbols, n_symbols) * (1 + 2 * torch.eye(n_symbols)) * between(rng, 0.3, 1.0, n_symbols)
    if gaps:  # impossible transitions; the ways along the diagonal and to the next symbol stay open
        chain[0, 2:] = 0
        chain[2, 1] = 0
    return chain / chain.sum(dim=1, keepdim=True)


@pytest.mark.marks("0.15")
@pytest.mark.hint("Which symbol of a pair chooses the row? What is in the row of a symbol that never occurs?")
def test_markov_matrix(student, reference, rng):
    """`markov_matrix` should estimate from pairs what follows each symbol, rows summing to 1."""
    for tokens, n_symbols in ((whole(rng, 4, 60), 4), (whole(rng, 3, 9), 5), (torch.tensor([0, 0, 1, 0, 2]), 3)):
        assert_close_to(student.markov_matrix(tokens, n_symbols), reference.markov_matrix(tokens, n_symbols), rtol=1e-5)


@pytest.mark.marks("0.1")
@pytest.mark.hint("Multiply your answer with P, from the left. Is it a distribution?")
def test_stationary(student, reference, rng):
    """`stationary` should not change when the chain takes a step."""
    for n_symbols in (2, 5):
        chain = random_chain(rng, n_symbols)
        answer = student.stationary(chain)
        assert_shape(answer, (n_symbols,))
        assert_close_to(answer, reference.stationary(chain), rtol=1e-6, atol=1e-9)
    assert_dtype(answer, torch.float64)


@pytest.mark.marks("0.15")
@pytest.mark.depends("test_stationary")
@pytest.mark.hint("Which symbols does a long text visit how often? Which unit is asked for? What is 0 log 0?")
def test_entropy_rate(student, reference, rng):
    """`entropy_rate` should be the long-run surprise in nats, also where transitions are impossible."""
    for chain in (random_chain(rng, 2), random_chain(rng, 4, gaps=True)):
        assert_close_to(student.entropy_rate(chain), reference.entropy_rate(chain), rtol=1e-6, atol=1e-9)
    uniform = torch.full((6, 6), 1 / 6, dtype=torch.float64)
    assert_close_to(student.entropy_rate(uniform), math.log(6), rtol=1e-6, what="the entropy of six equally likely symbols")


@pytest.mark.marks("0.15")
@pytest.mark.hint("Write down inputs and target of a text of three tokens.")
def test_shift(student, rng):
    """`shift` should make the token that follows the target."""
    tokens = whole(rng, 9, 3, 7)
    inputs, target = pair_of(student.shift(tokens), "your result")
    assert_close_to(inputs, tokens[:, :6], what="the input")
    assert_close_to(target, tokens[:, 1:], what="the target")


@pytest.mark.marks("0.25")
@pytest.mark.hint("Go through the equations gate by gate: order of the blocks, sigma or tanh, what is scaled by what. No .data, nothing in place.")
def test_lstm_step(student, reference, rng):
    """`lstm_step` should be the equations of the LSTM, in value and gradient."""
    inputs = draw(rng, 3, 4), draw(rng, 3, 5), draw(rng, 3, 5), 0.5 * draw(rng, 20, 4), 0.5 * draw(rng, 20, 5), draw(rng, 20)
    upstream = draw(rng, 3, 5), draw(rng, 3, 5)
    expected = torch.autograd.functional.vjp(reference.lstm_step, inputs, upstream)
    far = tuple(40 * one for one in inputs)
    extreme = reference.lstm_step(*far)

    def both_of(graph):  # also where they come as a list
        answer = graph.call_function(student.lstm_step, tuple(graph.placeholder(name) for name in names))
        return graph.call_method("__getitem__", (answer, 0)), graph.call_method("__getitem__", (answer, 1))

    names = ("x", "h", "c", "weight_x", "weight_h", "bias")
    with library_cells_taken_away(student):
        value, gradients = vjp(student, graph_module(student, {}, both_of), inputs, upstream)
        assert_close_to(value, expected[0])
        for what, mine, right in zip(names, pair_of_many(gradients, 6), expected[1], strict=True):
            assert_close_to(mine, right, rtol=1e-6, atol=1e-9, what=f"the gradient of {what}")
        assert_close_to(student.lstm_step(*far), extreme, what="your result for large numbers")


def pair_of_many(gradients, count):
    assert_instance(gradients, tuple, what="the gradients")
    assert len(gradients) == count, "there is one gradient for each input"
    return gradients


@pytest.mark.marks("0.2")
@pytest.mark.hint("Which gate keeps the old state, and where does r act: before or after the matrix?")
def test_gru_step(student, reference, rng):
    """`gru_step` should be the equations of the GRU, in value and gradient."""
    inputs = draw(rng, 4, 2), draw(rng, 4, 3), draw(rng, 9, 2), draw(rng, 9, 3), draw(rng, 9), draw(rng, 9)
    upstream = draw(rng, 4, 3)
    expected = torch.autograd.functional.vjp(reference.gru_step, inputs, upstream)
    with library_cells_taken_away(student):
        value, gradients = vjp(student, student.gru_step, inputs, upstream)
        assert_close_to(value, expected[0])
        names = ("x", "h", "weight_x", "weight_h", "bias_x", "bias_h")
        for what, mine, right in zip(names, pair_of_many(gradients, 6), expected[1], strict=True):
            assert_close_to(mine, right, rtol=1e-6, atol=1e-9, what=f"the gradient of {what}")


def lstm_pair(student, reference, rng, n_features=3, n_hidden=4):
    """A student's layer and PyTorch's, with the same weights."""
    sizes = {"weight_x": (4 * n_hidden, n_features), "weight_h": (4 * n_hidden, n_hidden), "bias": (4 * n_hidden,)}
    weights = {name: 0.7 * draw(rng, *shape) for name, shape in sizes.items()}
    net = student.LSTM(n_features, n_hidden).double()
    net.load_state_dict(weights)
    return net, reference.lstm(**weights)


@pytest.mark.marks("0.25")
@pytest.mark.hint("Which axis is time, is every step's h there, which state is handed out, and does the gradient reach the first step?")
def test_lstm_layer(student, reference, rng):
    """`LSTM` should carry its state through all steps and give every output, in value and gradient."""
    net, ours = lstm_pair(student, reference, rng)
    cases = [(draw(rng, 3, 6, 3), None), (draw(rng, 2, 1, 3), None), (draw(rng, 5, 5, 3), (draw(rng, 5, 4), draw(rng, 5, 4)))]
    expected = [ours(*case) for case in cases]
    x, upstream = draw(rng, 2, 5, 3), draw(rng, 2, 5, 4)
    _, gradient = torch.autograd.functional.vjp(lambda one: ours(one)[0], x, upstream)

    def outputs_of(graph):
        return graph.call_method("__getitem__", (graph.call_module("net", (graph.placeholder("x"),)), 0))

    with library_cells_taken_away(student):
        for (inputs, state), right in zip(cases, expected, strict=True):
            outputs, last = pair_of(net(inputs) if state is None else net(inputs, state), "what the layer gives")
            assert_close_to(outputs, right[0], what="the outputs")
            assert_close_to(last, right[1], what="the state")
        _, mine = vjp(student, graph_module(student, {"net": net}, outputs_of), x, upstream)
        assert_close_to(mine, gradient, rtol=1e-6, atol=1e-9, what="the gradient of x")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Two halves with the state carried are the whole; without it each call begins from zeros. Does anything come from a later step?")
def test_lstm_in_pieces(student, reference, rng):
    """`LSTM` should give the same in pieces as in one go, look at no later step, and remember nothing by itself."""
    net, _ = lstm_pair(student, reference, rng)
    x = draw(rng, 3, 8, 3)
    together, last = pair_of(net(x), "what the layer gives")
    first, state = pair_of(net(x[:, :5]), "what the layer gives")
    second, end = pair_of(net(x[:, 5:], state), "what the layer gives")
    assert_shape(together, (3, 8, 4), what="the outputs")
    assert_shape(first, (3, 5, 4), what="the outputs")
    assert_shape(second, (3, 3, 4), what="the outputs")
    assert bool((together[:, 5] != second[:, 2]).any()), "every step has the same output"
    assert_close_to(torch.cat([first, second], dim=1), together.detach(), what="the outputs of two pieces")
    assert_instance(last, (tuple, list), what="the state")
    assert_close_to(end, tuple(last), what="the state after two pieces")
    assert_close_to(net(x)[0], together.detach(), what="the outputs when the layer is called again")
    assert_close_to(net(x[1:2])[0], together[1:2].detach(), what="the outputs of one sequence alone")


@pytest.mark.marks("0.2")
@pytest.mark.hint("By how many tokens do you divide? What if the padding's logits change? Can a gradient flow?")
def test_sequence_loss(student, reference, rng):
    """`sequence_loss` should be the mean surprise at the real tokens alone, and let the gradient through."""
    for pad in (-100, 0):
        logits, target = 3 * draw(rng, 3, 5, 6), 1 + whole(rng, 5, 3, 5)
        target[0, 2:], target[1, 4:] = pad, pad
        expected = reference.surprises(logits, target, pad).mean()
        answer = student.sequence_loss(logits.clone().requires_grad_(), target, pad)
        assert_close_to(answer, expected)
        assert_instance(answer, torch.Tensor)
        assert answer.requires_grad, "no gradient can flow"
        logits[target == pad] = 50 * draw(rng, 6)
        assert_close_to(student.sequence_loss(logits, target, pad=pad), expected, what="the loss with other logits at the padding")
        twice = student.sequence_loss(torch.cat([logits, logits]), torch.cat([target, target]), pad)
        assert_close_to(twice, expected, what="the loss of a batch that is there twice")
    real = 0 * target
    assert_close_to(student.sequence_loss(logits, real), reference.surprises(logits, real, -100).mean(), what="the loss without pad")


@pytest.mark.marks("0.25")
@pytest.mark.depends("test_sequence_loss")
@pytest.mark.hint("Sum, mean, exponential: in which order, and over what? The batches differ in size. Which base?")
def test_perplexity(student, reference, rng):
    """`perplexity` should be the exponential of the mean surprise over all tokens, V for a uniform guess."""
    batches = []
    for batch, n_steps, spread in ((2, 3, 0.5), (4, 6, 3.0), (1, 1, 5.0)):
        target = 1 + whole(rng, 4, batch, n_steps)
        target[: batch // 2, n_steps // 2 :] = 0
        batches.append((spread * draw(rng, batch, n_steps, 5), target))
    assert_close_to(student.perplexity(batches, 0), reference.perplexity(batches, 0), rtol=1e-5)
    assert_close_to(student.perplexity(batches[1:2], pad=0), reference.perplexity(batches[1:2], 0), rtol=1e-5)
    uniform = [(0 * draw(rng, 3, 4, 11), whole(rng, 11, 3, 4))]
    assert_close_to(student.perplexity(uniform), 11.0, rtol=1e-5, what="the perplexity of a uniform guess")


class Stub(nn.Module):
    """Embedding, PyTorch's LSTM and a linear layer: what `stub_language_model` is over there."""

    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.out = nn.Embedding(5, 3), nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 5)

    def forward(self, tokens, state=None):
        outputs, state = self.lstm(self.embedding(tokens), state)
        return self.out(outputs), state


def stub_language_model(student, rng):
    ours = Stub().double()
    for parameter in ours.parameters():
        parameter.data = draw(rng, *parameter.shape)
    layers = {"embedding": ("Embedding", (5, 3), {}), "lstm": ("LSTM", (3, 4), {"batch_first": True}), "out": ("Linear", (4, 5), {})}
    modules = {name: library(student, f"torch.nn.{kind}")(*sizes, **more) for name, (kind, sizes, more) in layers.items()}

    def forward(graph):
        tokens, state = graph.placeholder("tokens"), graph.placeholder("state", default_value=None)
        both = graph.call_module("lstm", (graph.call_module("embedding", (tokens,)), state))
        logits = graph.call_module("out", (graph.call_method("__getitem__", (both, 0)),))
        return logits, graph.call_method("__getitem__", (both, 1))

    theirs = graph_module(student, modules, forward).double()
    theirs.load_state_dict(dict(ours.state_dict()))
    return theirs, ours


@pytest.mark.marks("0.25")
@pytest.mark.depends("test_shift", "test_sequence_loss")
@pytest.mark.hint("One chunk is one step of the optimiser: compare it by hand. Is the state carried, the graph cut, the gradient fresh, and clipped in time?")
@pytest.mark.parametrize(("predictions", "chunk", "clip"), [(4, 4, 100.0), (12, 4, 100.0), (11, 4, 0.3), (5, 9, 1.0)])
def test_train_epoch(student, reference, rng, predictions, chunk, clip):
    """`train_epoch` should take the steps of truncated backpropagation through time, and tell the mean loss."""
    theirs, ours = stub_language_model(student, rng)
    tokens = whole(rng, 5, 3, predictions + 1)
    optimiser = library(student, "torch.optim.SGD")(theirs.parameters(), lr=0.4)
    answer = student.train_epoch(theirs, optimiser, tokens, chunk, clip)
    assert_close_to(answer, reference.train_epoch(ours, 0.4, tokens, chunk, clip), rtol=1e-5, what="the mean loss")
    state = theirs.state_dict()
    assert_instance(state, dict, what="the state of the model")
    for name, right in ours.state_dict().items():
        # the norm that is divided by may have 1e-6 added
        assert_close_to(state.get(name), right, rtol=1e-4, atol=1e-5, what=f"the model's {name}")


@pytest.mark.timeout(5)
@pytest.mark.marks("0.05")
@pytest.mark.hint("Is a sequence of length 1 masked at its first step?")
def test_padding_mask(student, reference, rng):
    """`padding_mask` should be True for the real steps."""
    lengths = some_lengths(rng, 5, 6)
    assert_close_to(student.padding_mask(lengths, 6), reference.padding_mask(lengths, 6))
    assert_close_to(student.padding_mask(lengths, 8), reference.padding_mask(lengths, 8))


@pytest.mark.marks("0.1")
@pytest.mark.hint("Where does a sequence of length 1 end?")
def test_last_output(student, rng):
    """`last_output` should take each sequence's last real step, whatever the padding holds."""
    outputs, lengths = draw(rng, 5, 6, 3), some_lengths(rng, 5, 6)
    expected = torch.stack([row[length - 1] for row, length in zip(outputs, lengths.tolist(), strict=True)])
    assert_close_to(student.last_output(outputs, lengths), expected)


@pytest.mark.marks("0.1")
@pytest.mark.hint("What is summed, and by what do you divide?")
def test_masked_mean(student, rng):
    """`masked_mean` should average the real steps alone, whatever the padding holds."""
    outputs, lengths = draw(rng, 5, 6, 3), some_lengths(rng, 5, 6)
    expected = torch.stack([row[:length].mean(dim=0) for row, length in zip(outputs, lengths.tolist(), strict=True)])
    assert_close_to(student.masked_mean(outputs, lengths), expected)
    for row, length in zip(outputs, lengths.tolist(), strict=True):
        row[length:] = 1e6
    assert_close_to(student.masked_mean(outputs, lengths), expected, what="your result with large numbers at the padding")


@pytest.mark.marks("0.2")
@pytest.mark.hint("A row's gradient is the sum over its token's places. What must be true of the padding's row, before and after?")
def test_embedding(student, rng):
    """`Embedding` should look up rows, with a padding row that is 0 and gets no gradient."""
    vectors = student.Embedding(300, 40, 7)(torch.arange(300))
    assert_shape(vectors, (300, 40))
    assert_close_to(vectors[7], torch.zeros(40), what="the vector of the padding")
    rest = torch.cat([vectors[:7], vectors[8:]]).detach().double()
    n = rest.numel()
    assert_close_to(rest.mean(), 0.0, rtol=0, atol=SIGMAS / math.sqrt(n), what="the mean of the other rows")
    assert_close_to(rest.std(), 1.0, rtol=0, atol=SIGMAS / math.sqrt(2 * n), what="the spread of the other rows")
    for pad in (0, 3):
        net = student.Embedding(6, 2, pad=pad).double()
        parameters = {str(item[0]): tuple(item[1].shape) for item in net.named_parameters()}
        assert list(parameters.values()) == [(6, 2)], f"the parameters are {parameters}"
        name, table = next(iter(parameters)), draw(rng, 6, 2)
        table[pad] = 0
        net.load_state_dict({name: table}, strict=False)
        tokens = torch.cat([whole(rng, 6, 4, 3), torch.tensor([[pad, 1, 1]])])
        upstream = draw(rng, 5, 3, 2)
        assert_close_to(net(tokens), table[tokens], what="the vectors")
        expected = torch.zeros(6, 2, dtype=torch.float64).index_put_((tokens,), upstream, accumulate=True)
        expected[pad] = 0
        assert_close_to(gradient_of_table(student, net, name, tokens, upstream), expected, rtol=1e-6, what="the gradient of the table")


def gradient_of_table(student, net, name, tokens, upstream):
    """Gradient of sum(net(tokens) * upstream) with respect to a parameter of the student's module."""

    def gradient(graph):
        vectors = graph.call_module("net", (graph.placeholder("tokens"),))
        loss = graph.call_method("sum", (graph.call_method("mul", (vectors, graph.placeholder("upstream"))),))
        weight = graph.get_attr(f"net.{name}")
        return graph.call_function(library(student, "torch.autograd.grad"), (loss, weight))

    answer = graph_module(student, {"net": net}, gradient)(tokens, upstream)
    assert_instance(answer, tuple, what="the gradient of the table")
    return answer[0]


@pytest.mark.marks("0.1")
@pytest.mark.hint("Two different unknown words: which tokens do they get?")
def test_encode(student, rng):
    """`encode` should give each known word its token and all unknown words the same one."""
    index = {word: int(token) for word, token in zip(("sea", "Sun", "sky", "b"), 2 + torch.randperm(4, generator=rng), strict=True)}
    words = ["sky", "sun", "sea", "dragon", "Sun", "b", ""]
    for unknown in (1, 9):
        right = torch.tensor([index.get(word, unknown) for word in words])
        answer = student.encode(words, index) if unknown == 1 else student.encode(words, index, unknown)
        assert_close_to(answer, right)
        assert_dtype(answer, torch.int64)


@pytest.mark.marks("0.1")
@pytest.mark.hint("Does the length of a vector matter? What is the cosine with a vector of zeros?")
def test_cosine(student, reference, rng):
    """`cosine` should compare directions alone, every pair, and be 0 for zero vectors."""
    a, b = draw(rng, 3, 4), draw(rng, 5, 4)
    assert_close_to(student.cosine(a, b), reference.cosine(a, b), rtol=1e-5, atol=1e-6)
    a[1], b[0] = 0, 0
    answer = student.cosine(9 * a, between(rng, 0.2, 5, 5, 1) * b)
    assert_close_to(answer, reference.cosine(a, b), rtol=1e-5, atol=1e-6, what="your result with vectors of all lengths")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_cosine")
@pytest.mark.hint("Is a word its own neighbour? Which comes first?")
def test_nearest(student, reference, rng):
    """`nearest` should list the other rows, the most alike first."""
    vectors = draw(rng, 9, 3) * between(rng, 0.05, 4, 9, 1)
    for row, count in ((4, 3), (0, 8)):
        likeness = reference.cosine(vectors[row : row + 1], vectors)[0]
        others = [int(one) for one in likeness.argsort(descending=True) if int(one) != row]
        assert_close_to(student.nearest(vectors, row, count), torch.tensor(others[:count]))


@pytest.mark.marks("0.1")
@pytest.mark.hint("Rows are queries: what may the first query see?")
def test_causal_mask(student):
    """`causal_mask` should let each step look at itself and back."""
    for n_steps in (1, 2, 5):
        right = torch.tensor([[key <= query for key in range(n_steps)] for query in range(n_steps)])
        assert_close_to(student.causal_mask(n_steps), right)


@pytest.mark.marks("0.3")
@pytest.mark.hint("Do the weights of one query sum to 1 with a mask too? By which number do you divide? Try T, S, D and E all different.")
@pytest.mark.parametrize("batch", [(), (2,), (3, 2)], ids=str)
def test_attention(student, reference, rng, batch):
    """`attention` should be the scaled, masked mean of the values, its weights summing to 1 for each query."""
    q, k, v = draw(rng, *batch, 4, 3), draw(rng, *batch, 6, 3), draw(rng, *batch, 6, 5)
    mask = torch.rand(*batch, 4, 6, generator=rng) < 0.5
    mask[..., 0], mask[..., 0, 1:] = True, False  # the first query sees one key alone
    for one in (None, mask, mask.reshape(-1, 4, 6)[0]):
        y, weights = pair_of(student.attention(q, k, v) if one is None else student.attention(q, k, v, one), "your result")
        right_y, right = reference.attention(q, k, v, one)
        assert_close_to(weights, right, atol=1e-9, rtol=1e-6, what="the weights")
        assert_close_to(y, right_y, rtol=1e-6, atol=1e-9, what="the mean of the values")
    order = torch.randperm(6, generator=rng)
    moved, _ = pair_of(student.attention(30 * q, 30 * k[..., order, :], v[..., order, :], mask[..., order]), "your result")
    assert_close_to(moved, reference.attention(30 * q, 30 * k, v, mask)[0], rtol=1e-6, atol=1e-9,
                    what="the mean where keys are large and in another order")  # fmt: skip


def attention_layer(student, rng, n_features, n_heads):
    sizes = {"qkv.weight": (3 * n_features, n_features), "qkv.bias": (3 * n_features,),
             "out.weight": (n_features, n_features), "out.bias": (n_features,)}  # fmt: skip
    weights = {name: draw(rng, *shape) / 2 for name, shape in sizes.items()}
    net = student.SelfAttention(n_features, n_heads).double()
    net.load_state_dict(weights)
    return net, weights


@pytest.mark.marks("0.3")
@pytest.mark.depends("test_attention", "test_causal_mask", "test_padding_mask")
@pytest.mark.hint("Is step t's result changed by step t + 1, or by padding? Which features belong to head 0, and how wide is a head?")
@pytest.mark.parametrize(("n_heads", "causal", "padded"), [(1, True, False), (3, True, True), (2, False, True)])
def test_self_attention(student, reference, rng, n_heads, causal, padded):
    """`SelfAttention` should be multi-head attention within each sequence, blind for padding and, if asked, the future."""
    net, weights = attention_layer(student, rng, 6, n_heads)
    x, lengths = draw(rng, 4, 5, 6), some_lengths(rng, 4, 5) if padded else None
    real = reference.padding_mask(lengths, 5) if padded else torch.ones(4, 5, dtype=torch.bool)
    # causal by default
    answer = net(x, lengths) if causal else net(x, lengths, causal=False)
    assert_shape(answer, (4, 5, 6))
    expected = reference.self_attention(x, weights, n_heads, lengths, causal)[real]
    assert_close_to(answer[real], expected, rtol=1e-6, atol=1e-9, what="your result at the real steps")
    x[~real] = 100.0
    again = net(x, lengths, causal)
    assert_shape(again, (4, 5, 6))
    assert_close_to(again[real], expected, rtol=1e-6, atol=1e-9, what="your result with other padding")


@pytest.mark.marks("0.15")
@pytest.mark.hint("What stands in row 0? Sine where, cosine where; is the exponent the same for both of a pair?")
@pytest.mark.parametrize("n_features", [2, 6, 16])
def test_positional_encoding(student, reference, n_features):
    """`positional_encoding` should alternate sine and cosine of ever slower clocks."""
    answer = student.positional_encoding(30, n_features)
    assert_close_to(answer, reference.positional_encoding(30, n_features), rtol=0, atol=1e-4)
    assert_close_to(answer.square().sum(dim=1), torch.full((30,), n_features / 2), rtol=0, atol=1e-3, what="the squared length of a row")


@pytest.mark.marks("0.1")
@pytest.mark.hint("Does a temperature below 1 make the best more likely, or less? Is anything infinite on the way?")
def test_temper(student, rng):
    """`temper` should sharpen below 1, flatten above, and stay finite."""
    logits = 2 * draw(rng, 3, 2, 6)
    entropies = []
    for temperature in (0.5, 1.0, 2.5):
        answer = student.temper(logits, temperature)
        assert_close_to(answer, (logits / temperature).softmax(dim=-1), rtol=1e-6, atol=1e-12)
        entropies.append(float(-torch.xlogy(answer, answer).sum()))
    assert entropies[0] < entropies[1] < entropies[2]
    far = torch.tensor([[1000.0, -1000.0, 999.0]], dtype=torch.float64)
    assert_close_to(student.temper(far, 0.5), (far / 0.5).softmax(dim=-1), rtol=1e-6, atol=1e-12, what="your result for large logits")


@pytest.mark.marks("0.15")
@pytest.mark.timeout(10)
@pytest.mark.hint("What does step get as tokens and as state in its second call? What stands after a stop, and is the stop there?")
@pytest.mark.parametrize("pad", [0, 6])
def test_greedy_decode(student, reference, rng, pad):
    """`greedy_decode` should feed back its own choice and the state, until each sequence's own stop."""
    table, state, first = 2 * draw(rng, 6, 6), draw(rng, 12, 6), whole(rng, 6, 12)
    embedding = library(student, "torch.nn.Embedding")(6, 6).double()
    embedding.load_state_dict({"weight": table})

    def step(graph):
        tokens, state = graph.placeholder("tokens"), graph.placeholder("state")
        logits = graph.call_method("add", (graph.call_module("table", (tokens,)), state))
        return logits, graph.call_method("roll", (state, 1, -1))

    stub = graph_module(student, {"table": embedding}, step)
    options = {} if pad == 0 else {"pad": pad}
    for stop in (2, 5):
        answer = student.greedy_decode(stub, first, state, stop, 7, **options)
        assert_close_to(answer, reference.greedy(table, state, first, stop, 7, pad))
