"""Hidden tests of lab 8. Stubs of models are built in the student's process, from torch's own modules."""

import math

import pytest
import torch
from torch import nn

from assessor.grading.proxy import library
from assessor.grading.tolerances import assert_close_to, assert_dtype, assert_instance, assert_shape

DRAWS, FEW = 10_000, 1_000
SIGMAS = 9.0
"""Standard errors allowed: a right sampler fails once in 10^18."""


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def between(rng, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)


def whole(rng, high, *shape):
    return torch.randint(high, shape, generator=rng)


def weights_of(student, module):
    weights = library(student, "torch.nn.utils.parameters_to_vector")(module.parameters())
    assert_instance(weights, torch.Tensor, what="the vector of your parameters")
    return weights.detach()


def set_weights(student, module, vector):
    library(student, "torch.nn.utils.vector_to_parameters")(vector, module.parameters())


def stub_denoiser(student, weight, bias):
    """A module over there with eps(x, t) = x W^T + b + t / 10, and the same function here."""
    linear = library(student, "torch.nn.Linear")(weight.shape[1], weight.shape[0]).double()
    set_weights(student, linear, torch.cat([weight.reshape(-1), bias]))
    graph = library(student, "torch.fx.Graph")()
    x, t = graph.placeholder("x"), graph.placeholder("t")
    line = graph.call_module("linear", (x,))
    late = graph.call_function(library(student, "torch.div"), (graph.call_method("reshape", (t, -1, 1)), 10.0))
    graph.output(graph.call_function(library(student, "torch.add"), (line, late)))
    holder = library(student, "torch.nn.ModuleDict")({"linear": linear})
    stub = library(student, "torch.fx.GraphModule")(holder, graph)
    return stub, lambda x, t: x @ weight.T + bias + t.reshape(-1, 1) / 10


def assert_moments(sample, mean, std, *, what):
    """Mean and standard deviation of each column of normal draws (n, K)."""
    n = len(sample)
    assert bool(sample.isfinite().all()), f"{what} holds NaN or infinity"
    assert_close_to((sample.mean(dim=0) - mean) / std, torch.zeros_like(mean), rtol=0, atol=SIGMAS / math.sqrt(n),
                    what=f"the mean of {what}")  # fmt: skip
    assert_close_to(sample.std(dim=0) / std, torch.ones_like(std), rtol=0, atol=SIGMAS / math.sqrt(2 * n),
                    what=f"the standard deviation of {what}")  # fmt: skip


def assert_independent(noise, *, what):
    """Standard normal draws (n, K): rows, columns and neighbours have nothing to do with each other."""
    n, bound = len(noise), SIGMAS / math.sqrt(len(noise))
    columns = (noise.T @ noise / n).fill_diagonal_(0.0)
    assert_close_to(columns, torch.zeros_like(columns), rtol=0, atol=bound, what=f"the correlation between columns of {what}")
    rows = (noise[1:] * noise[:-1]).mean(dim=0)
    assert_close_to(rows, torch.zeros_like(rows), rtol=0, atol=bound, what=f"the correlation between rows of {what}")
    fourth = noise.pow(4).mean(dim=0)
    assert_close_to(fourth, torch.full_like(fourth, 3.0), rtol=0, atol=bound * math.sqrt(96), what=f"the fourth moment of {what}")


@pytest.mark.marks("0.2")
@pytest.mark.hint("forward is decode after encode; codes and logits may be any real number; one hidden ReLU layer in each half.")
def test_autoencoder_halves(student, rng):
    """`Autoencoder` should be its decoder after its encoder, with free codes and logits."""
    net = student.Autoencoder(12, 3).double().eval()
    x, z = draw(rng, 40, 12), 3 * draw(rng, 40, 3)
    code, logits = net.encode(x), net(x)
    assert_shape(code, (40, 3), what="the code")
    assert_shape(logits, (40, 12), what="the output")
    assert_close_to(net.decode(code), logits, what="decode(encode(x))")
    assert_close_to(net(x[:1]), logits[:1], what="the output for one item alone")
    assert bool((code < 0).any()) and bool((code > 0).any()), "the codes all have one sign"
    for name, half, points in (("encode", net.encode, x), ("decode", net.decode, z)):
        bend = half(points[:20]) + half(points[20:]) - half(points[:20] + points[20:]) - half(0 * points[:20])
        assert float(bend.abs().max()) > 1e-6, f"{name} is linear"
    set_weights(student, net, torch.zeros_like(weights_of(student, net)))
    assert_close_to(net(x), torch.zeros_like(x), what="the logits where all weights are 0")


@pytest.mark.marks("0.2")
@pytest.mark.hint("What is the only way from the input to the output, and how many numbers pass through it?")
def test_autoencoder_bottleneck(student, rng):
    """`Autoencoder` should let no more than the code through."""
    for pixels, latent in ((12, 3), (9, 1)):
        net = student.Autoencoder(pixels, latent).double().eval()
        jacobian = library(student, "torch.autograd.functional.jacobian")(net, draw(rng, 1, pixels))
        assert_shape(jacobian, (1, pixels, 1, pixels), what="the Jacobian")
        sizes = torch.linalg.svdvals(jacobian.reshape(pixels, pixels).detach().nan_to_num())
        rank = int((sizes > 1e-9 * sizes[0].clamp_min(1e-300)).sum())
        assert 1 <= rank <= latent, f"the Jacobian has rank {rank}"


@pytest.mark.marks("0.2")
@pytest.mark.hint("Which of the two is noisy? Has every entry its own noise? Is the caller's x still clean?")
def test_denoising_pair(student, rng):
    """`denoising_pair` should give a freshly noisy input and the clean target."""
    x, std = between(rng, 0, 1, DRAWS, 3), float(between(rng, 0.2, 0.9))
    twice = [student.denoising_pair(x, std) for _ in range(2)]
    for pair in twice:
        assert_instance(pair, (tuple, list))
        assert len(pair) == 2, "a pair was expected"
        assert_close_to(pair[1], x, what="the target")
        assert_shape(pair[0], x.shape, what="the input")
        assert_dtype(pair[0], torch.float64, what="the input")
    noise = (twice[0][0].detach() - x) / std
    assert_moments(noise, torch.zeros(3).double(), torch.ones(3).double(), what="the noise")
    assert_independent(noise, what="the noise")
    assert float((twice[0][0] - twice[1][0]).abs().max()) > 0, "two calls give the same noise"
    assert_close_to(student.denoising_pair(x[:3].float(), 0.0)[0], x[:3].float(), what="the input where there is no noise")


@pytest.mark.marks("0.25")
@pytest.mark.hint("Sum over the latent dimensions. Which distribution comes first? What is exp(log_var)?")
def test_kl_to_prior(student, reference, rng):
    """`kl_to_prior` should follow the closed form, never below 0 and 0 at the prior."""
    mu, log_var = draw(rng, 6, 4), between(rng, -3, 2, 6, 4)
    answer = student.kl_to_prior(mu, log_var)
    assert_close_to(answer, reference.kl_to_prior(mu, log_var))
    assert bool((answer >= 0).all()), "a divergence is negative"
    assert_close_to(student.kl_to_prior(0 * mu, 0 * mu), torch.zeros(6).double(), atol=1e-12, what="the value at the prior")
    twice = student.kl_to_prior(torch.cat([mu, mu], dim=1), torch.cat([log_var, log_var], dim=1))
    assert_close_to(twice, 2 * reference.kl_to_prior(mu, log_var), what="the value of a code that is there twice")


@pytest.mark.marks("0.2")
@pytest.mark.hint("log_var is the logarithm of the variance; how do you get a standard deviation? Has every item its own noise?")
def test_reparameterise_moments(student, rng):
    """`reparameterise` should draw independent codes with the right mean and spread."""
    mu, log_var = draw(rng, 3), between(rng, 0.6, 1.6, 3) * torch.tensor([1.0, -1.0, 1.0])
    z = student.reparameterise(mu.repeat(DRAWS, 1), log_var.repeat(DRAWS, 1))
    assert_shape(z, (DRAWS, 3))
    assert_dtype(z, torch.float64)
    std = (0.5 * log_var).exp()
    assert_moments(z.detach(), mu, std, what="the codes")
    assert_independent((z.detach() - mu) / std, what="the codes")
    again = student.reparameterise(mu.repeat(DRAWS, 1), log_var.repeat(DRAWS, 1))
    assert float((again - z).abs().max()) > 0, "two calls give the same codes"


@pytest.mark.marks("0.15")
@pytest.mark.hint("z = mu + sigma * eps: what is dz/dmu, what is dz/dlog_var, and does anything cut the graph?")
def test_reparameterise_gradient(student, rng):
    """`reparameterise` should pass gradients to the mean and to the log-variance."""
    mu, log_var, upstream = draw(rng, 7, 2), between(rng, -1.5, 1.5, 7, 2), draw(rng, 7, 2)
    answer = library(student, "torch.autograd.functional.vjp")(student.reparameterise, (mu, log_var), upstream)
    z, gradients = answer
    assert_shape(z, (7, 2), what="the code")
    assert_close_to(gradients[0], upstream, what="the gradient of the mean")
    assert_close_to(gradients[1], upstream * 0.5 * (z.detach() - mu), rtol=1e-6, what="the gradient of the log-variance")


@pytest.mark.marks("0.1")
@pytest.mark.hint("Read what the docstring says about `training`.")
def test_reparameterise_without_noise(student, rng):
    """`reparameterise` should give the mean itself when not training."""
    mu, log_var = draw(rng, 5, 3), draw(rng, 5, 3)
    assert_close_to(student.reparameterise(mu, log_var, False), mu)
    assert_close_to(student.reparameterise(mu, log_var, training=False), mu)
    assert float((student.reparameterise(mu, log_var, training=True) - mu).abs().min()) > 0, "no noise while training"


@pytest.mark.marks("0.25")
@pytest.mark.depends("test_kl_to_prior")
@pytest.mark.hint("What is summed, what averaged, which sign has each term, and which of them does beta weigh?")
def test_negative_elbo(student, reference, rng):
    """`negative_elbo` should be the mean of reconstruction plus weighted divergence, also for large logits."""
    x, logits, mu, log_var = between(rng, 0, 1, 6, 5), 3 * draw(rng, 6, 5), draw(rng, 6, 2), draw(rng, 6, 2)
    for beta in (1.0, 0.0, float(between(rng, 2, 5))):
        expected = reference.negative_elbo(x, logits, mu, log_var, beta)
        assert_close_to(student.negative_elbo(x, logits, mu, log_var, beta=beta), expected, what="the loss")
    expected = reference.negative_elbo(x, logits, mu, log_var, 1.0)
    assert_close_to(student.negative_elbo(x, logits, mu, log_var), expected, what="the loss where beta is not given")
    doubled = student.negative_elbo(*(torch.cat([one, one]) for one in (x, logits, mu, log_var)))
    assert_close_to(doubled, expected, what="the loss of a batch that is there twice")
    far = torch.tensor([[120.0, -120.0, 150.0, -150.0, 0.0]], dtype=torch.float64).expand(6, 5)
    expected = reference.negative_elbo(x.round(), far, mu, log_var, 1.0)
    assert_close_to(student.negative_elbo(x.round(), far, mu, log_var), expected, what="the loss with large logits")


@pytest.mark.marks("0.1")
@pytest.mark.depends("test_kl_to_prior", "test_reparameterise_moments", "test_reparameterise_gradient", "test_negative_elbo")
@pytest.mark.hint("Do the tests of the parts pass? The networks and the optimiser are not yours here.")
def test_vae_trained_on_digits(student, reference, calibrated):
    """`reparameterise` and `negative_elbo` together should train a VAE that describes digits it has not seen."""
    vjp = library(student, "torch.autograd.functional.vjp")

    def sampler(mu, log_var):
        z, gradients = vjp(student.reparameterise, (mu, log_var), torch.ones_like(mu))
        assert_shape(z, mu.shape, what="the codes")
        return z.detach(), gradients

    def loss(*inputs):
        value, gradients = vjp(student.negative_elbo, inputs)
        assert_shape(value, (), what="the loss")
        return gradients[1:]

    def run(seed):
        library(student, "torch.manual_seed")(seed)
        return reference.held_out_loss(sampler, loss, seed)

    calibrated("negative ELBO of new digits, in nats", run, higher=False)


@pytest.mark.marks("0.15")
@pytest.mark.hint("Integrate your density over a line: is it 1? Is the log-density of the peak larger or smaller than elsewhere?")
def test_gaussian_log_prob(student, reference, rng):
    """`gaussian_log_prob` should be the logarithm of a density that integrates to 1."""
    x, mu, log_var = draw(rng, 3, 5, 2), draw(rng, 5, 2), between(rng, -2, 2, 5, 2)
    assert_close_to(student.gaussian_log_prob(x, mu, log_var), reference.gaussian_log_prob(x, mu, log_var))
    assert_close_to(student.gaussian_log_prob(x[0], mu, log_var), reference.gaussian_log_prob(x[0], mu, log_var))
    line, width = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None], between(rng, -1, 1, 1, 1)
    density = student.gaussian_log_prob(line, 0 * width, width)
    assert_shape(density, (4001,))
    assert_close_to(density.exp().sum() * 24 / 4000, 1.0, rtol=0, atol=1e-6, what="the integral of the density")


@pytest.mark.marks("0.2")
@pytest.mark.depends("test_gaussian_log_prob", "test_reparameterise_moments")
@pytest.mark.hint("Draws from which of the two? log q - log p, as it is, and the mean over how many draws?")
def test_monte_carlo_kl(student, reference, rng):
    """`monte_carlo_kl` should scatter around the closed form as a mean of independent draws does."""
    mu, log_var = 0.4 * draw(rng, 3, 4), between(rng, -0.7, 0.7, 3, 4)
    exact, spread = reference.kl_to_prior(mu, log_var), reference.spread_of_kl_terms(mu, log_var)
    answer = student.monte_carlo_kl(mu, log_var, FEW)
    assert_shape(answer, (3,))
    zero = torch.zeros(3).double()
    assert_close_to((answer.detach() - exact) / spread, zero, rtol=0, atol=SIGMAS / math.sqrt(FEW))
    rows = student.monte_carlo_kl(mu[:1].repeat(DRAWS, 1), log_var[:1].repeat(DRAWS, 1), 4)
    assert_shape(rows, (DRAWS,))
    standard = (rows.detach() - exact[0]) / spread[0]
    assert_close_to(standard.mean(), 0.0, rtol=0, atol=SIGMAS / math.sqrt(4 * DRAWS), what="the mean of many estimates")
    assert_close_to(standard.std(), 0.5, rtol=0, atol=0.1, what="the spread of estimates with four draws")


def prior_stub(student, *, drop=False):
    """An identity with parameters, so that its device can be asked for; with dropout on demand."""
    linear = library(student, "torch.nn.Linear")(3, 3)
    set_weights(student, linear, torch.cat([torch.eye(3).reshape(-1), torch.zeros(3)]))
    return library(student, "torch.nn.Sequential")(linear, library(student, "torch.nn.Dropout")(0.5 if drop else 0.0))


@pytest.mark.marks("0.2")
@pytest.mark.hint("Which distribution is the prior? One code each; and who decides about the seed?")
def test_generate_draws_from_the_prior(student, rng):
    """`generate` should decode independent codes from the prior, the same again for the same seed."""
    decoder, seed_them = prior_stub(student), library(student, "torch.manual_seed")
    made = student.generate(decoder, DRAWS, 3)
    assert_shape(made, (DRAWS, 3))
    made = made.detach().double()
    assert_moments(made, torch.zeros(3).double(), torch.ones(3).double(), what="the codes")
    assert_independent(made, what="the codes")
    seed = int(whole(rng, 2**31, 1))
    repeated = []
    for one in (seed, seed, seed + 1):
        seed_them(one)
        repeated.append(student.generate(decoder, 8, 3))
    assert_close_to(repeated[0], repeated[1], what="what is made again from the same seed")
    assert float((repeated[0] - repeated[2]).abs().max()) > 0, "another seed makes the same"


@pytest.mark.marks("0.15")
@pytest.mark.hint("Dropout must be off while you generate, and the decoder's mode as it was afterwards. No graph.")
def test_generate_leaves_the_decoder_as_it_was(student):
    """`generate` should use the decoder in evaluation mode, give no graph, and restore the mode."""
    decoder = prior_stub(student, drop=True)
    for training in (True, False):
        decoder.train(training)
        made = student.generate(decoder, 400, 3)
        assert_shape(made, (400, 3))
        assert not made.requires_grad, "what is made carries a graph"
        assert not bool((made == 0).any()), "dropout was at work"
        assert decoder.training is training, "the decoder is left in another mode"


@pytest.mark.marks("0.15")
@pytest.mark.hint("Picture number 1 stands to the right of picture number 0. Try pictures that are not square.")
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 3, 2, 2), (1, 4, 3, 2)], ids=str)
def test_tile_images(student, reference, rng, shape):
    """`tile_images` should lay pictures out from left to right, then row by row."""
    rows, columns, h, w = shape
    images = draw(rng, rows * columns, h, w)
    assert_close_to(student.tile_images(images, columns), reference.tile_images(images, columns))


@pytest.mark.marks("0.2")
@pytest.mark.hint("Which pairs are left out of which sum, by what is each divided, and is the bandwidth squared?")
def test_mmd2(student, reference, rng):
    """`mmd2` should be the unbiased estimate, for samples of different sizes too."""
    x, y, h = draw(rng, 7, 3), 0.5 + draw(rng, 5, 3), float(between(rng, 0.6, 3.0))
    assert_close_to(student.mmd2(x, y, h), reference.mmd2(x, y, h), rtol=1e-6, atol=1e-9)
    assert_close_to(student.mmd2(y, x, h), reference.mmd2(x, y, h), rtol=1e-6, atol=1e-9, what="your result for (y, x)")
    far = student.mmd2(torch.zeros(4, 1).double(), torch.full((6, 1), 500.0).double(), h)
    assert_close_to(far, 2.0, rtol=1e-6, atol=1e-9, what="your result for two points far apart")


def gan_pair(student, rng):
    """A generator and a discriminator here, and their twins over there."""
    pairs = []
    for sizes in ((3, 8, 2), (2, 8, 1)):
        ours = nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:])).double()
        vector = 0.5 * draw(rng, sum(one.numel() for one in ours.parameters()))
        nn.utils.vector_to_parameters(vector, ours.parameters())
        layers = (library(student, "torch.nn.Linear")(*sizes[:2]), library(student, "torch.nn.Tanh")())
        theirs = library(student, "torch.nn.Sequential")(*layers, library(student, "torch.nn.Linear")(*sizes[1:])).double()
        set_weights(student, theirs, vector.clone())
        pairs.append((ours, theirs))
    return pairs


@pytest.mark.marks("0.4")
@pytest.mark.hint("After one step compare which network moved, and towards what. Are old gradients gone before each backward?")
@pytest.mark.parametrize("steps", [1, 4])
def test_gan_step(student, reference, rng, steps):
    """`GanTrainer.step` should move both networks exactly as the two-phase update does."""
    (our_g, their_g), (our_d, their_d) = gan_pair(student, rng)
    batches = [(draw(rng, 6, 2), draw(rng, 6, 3)) for _ in range(steps)]
    trainer = student.GanTrainer(their_g, their_d, 0.02)
    answers = [trainer.step(real, noise) for real, noise in batches]
    expected = reference.train_gan(our_g, our_d, 0.02, batches)
    for answer, losses in zip(answers, expected, strict=True):
        assert_instance(answer, (tuple, list), what="what step returns")
        assert_close_to([float(one) if isinstance(one, torch.Tensor) and one.numel() == 1 else one for one in answer],
                        list(losses), rtol=1e-5, atol=1e-8, what="the losses")  # fmt: skip
    for what, ours, theirs in (("the discriminator", our_d, their_d), ("the generator", our_g, their_g)):
        weights = nn.utils.parameters_to_vector(ours.parameters()).detach()
        assert_close_to(weights_of(student, theirs), weights, rtol=1e-5, atol=1e-7, what=what)


@pytest.mark.marks("0.15")
@pytest.mark.hint("Both ends of the schedule are reached; alpha_bar is a running product of what?")
@pytest.mark.parametrize("steps", [2, 5, 60])
def test_linear_schedule(student, reference, rng, steps):
    """`linear_schedule` should give evenly spaced variances and the running products of what is kept."""
    start, end = float(between(rng, 1e-3, 0.05)), float(between(rng, 0.1, 0.4))
    answer = student.linear_schedule(steps, start, end)
    assert_instance(answer, (tuple, list))
    assert len(answer) == 2, "two tensors were expected"
    for what, mine, theirs in zip(("betas", "alpha_bars"), answer, reference.schedule(steps, start, end), strict=True):
        assert_close_to(mine, theirs, rtol=1e-4, atol=1e-7, what=what)


@pytest.mark.marks("0.2")
@pytest.mark.hint("Variance or standard deviation? Which entry belongs to t? Each item has its own t: does it meet its own row?")
@pytest.mark.parametrize("shape", [(4, 4), (5, 2), (3, 1, 3, 4), (6, 3, 6)], ids=str)
def test_q_sample(student, reference, rng, shape):
    """`q_sample` should mix data and noise in the right proportion for each item's step."""
    _, alpha_bars = reference.schedule(9, 0.02, 0.3)
    t = whole(rng, 9, shape[0])
    t[0], t[-1] = 0, 8
    x0, eps = draw(rng, *shape), draw(rng, *shape)
    answer = student.q_sample(x0, t, eps, alpha_bars)
    assert_close_to(answer, reference.q_sample(x0, t, eps, alpha_bars))


@pytest.mark.marks("0.2")
@pytest.mark.depends("test_q_sample")
@pytest.mark.hint("What does the model see, what should it say, and over what is the error averaged?")
def test_noise_loss(student, reference, rng):
    """`noise_loss` should be the mean squared error of the predicted noise."""
    _, alpha_bars = reference.schedule(8, 0.02, 0.3)
    stub, ours = stub_denoiser(student, draw(rng, 3, 3), draw(rng, 3))
    x0, t, eps = draw(rng, 5, 3), whole(rng, 8, 5), draw(rng, 5, 3)
    expected = reference.noise_loss(ours, x0, t, eps, alpha_bars)
    answer = student.noise_loss(stub, x0, t, eps, alpha_bars)
    assert_close_to(answer, expected)
    assert answer.requires_grad, "no gradient can flow to the model"


@pytest.mark.marks("0.2")
@pytest.mark.hint("Write alpha_t, beta_t and alpha-bar_t beside the formula. Is there noise in the last step?")
@pytest.mark.parametrize("t", [0, 1, 4, 7])
def test_reverse_step(student, reference, rng, t):
    """`reverse_step` should take away the predicted noise and add fresh noise, but none at the end."""
    betas, alpha_bars = reference.schedule(8, 0.03, 0.35)
    stub, ours = stub_denoiser(student, draw(rng, 2, 2), draw(rng, 2))
    x, noise = draw(rng, 6, 2), draw(rng, 6, 2)
    expected = reference.reverse_step(ours, x, t, noise, betas, alpha_bars)
    assert_close_to(student.reverse_step(stub, x, t, noise, betas, alpha_bars), expected)


@pytest.mark.marks("0.15")
@pytest.mark.timeout(10)
@pytest.mark.depends("test_reverse_step")
@pytest.mark.hint("Where does the chain begin, where does it end, which way does it go, and is the noise fresh each time?")
def test_ddpm_sample(student, reference, rng):
    """`ddpm_sample` should run the whole chain from noise to data."""
    betas = between(rng, 0.25, 0.5, 4).sort().values
    alpha_bars = torch.cumprod(1 - betas, dim=0)
    weight, bias = between(rng, 0.5, 0.9, 2), between(rng, 0.5, 1.0, 2)
    biases = bias + torch.arange(4)[:, None] / 10
    stub, _ = stub_denoiser(student, torch.diag(weight), bias)
    answer = student.ddpm_sample(stub, DRAWS, 2, betas, alpha_bars)
    assert_shape(answer, (DRAWS, 2))
    assert not answer.requires_grad, "what is made carries a graph"
    mean, variance = reference.linear_chain(weight, biases, betas, alpha_bars)
    assert_moments(answer.double(), mean, variance.sqrt(), what="the samples")
