"""Public tests of lab 8: you may read and run them: `assessor check lab8_generative.ipynb`.

They look at names, shapes and types. Hidden tests look at what is computed.
"""

import pytest
import torch

from assessor.grading.tolerances import assert_shape

pytestmark = pytest.mark.public
ASKED_FOR = (
    "Autoencoder", "denoising_pair", "kl_to_prior", "reparameterise", "negative_elbo", "gaussian_log_prob",
    "monte_carlo_kl", "generate", "tile_images", "mmd2", "GanTrainer", "linear_schedule", "q_sample",
    "noise_loss", "reverse_step", "ddpm_sample",
)


def test_names(student):
    """Everything that the worksheet asks for should be there under its name."""
    for name in ASKED_FOR:
        getattr(student, name)


def test_autoencoder_shape(student, rng):
    """`Autoencoder` should give a code for each item, and logits like its input."""
    net, x = student.Autoencoder(12, 3, 8), torch.rand(4, 12, generator=rng)
    assert_shape(net.encode(x), (4, 3), what="the code")
    assert_shape(net(x), (4, 12), what="the logits")


def test_vae_shape(student, rng):
    """The parts of the VAE should give one number an item, a code an item, and one loss."""
    mu, log_var = torch.randn(4, 3, generator=rng), torch.randn(4, 3, generator=rng)
    x, logits = torch.rand(4, 12, generator=rng), torch.randn(4, 12, generator=rng)
    assert_shape(student.kl_to_prior(mu, log_var), (4,), what="kl_to_prior")
    assert_shape(student.reparameterise(mu, log_var), (4, 3), what="reparameterise")
    assert_shape(student.negative_elbo(x, logits, mu, log_var), (), what="negative_elbo")
    assert_shape(student.monte_carlo_kl(mu, log_var, 5), (4,), what="monte_carlo_kl")


def test_pictures_shape(student, rng):
    """`tile_images` should lay pictures side by side, `mmd2` give one number."""
    assert_shape(student.tile_images(torch.rand(6, 2, 3, generator=rng), 3), (4, 9), what="tile_images")
    x, y = torch.randn(5, 2, generator=rng), torch.randn(4, 2, generator=rng)
    assert_shape(student.mmd2(x, y, 1.0), (), what="mmd2")


def test_diffusion_shape(student, rng):
    """`linear_schedule` should give two numbers a step, `q_sample` points like the data."""
    betas, alpha_bars = student.linear_schedule(10)
    assert_shape(betas, (10,), what="the betas")
    assert_shape(alpha_bars, (10,), what="the alpha bars")
    x0, eps = torch.randn(3, 2, generator=rng), torch.randn(3, 2, generator=rng)
    assert_shape(student.q_sample(x0, torch.tensor([0, 4, 9]), eps, torch.linspace(0.9, 0.1, 10)), (3, 2), what="q_sample")
