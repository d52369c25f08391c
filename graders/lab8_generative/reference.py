"""Reference for lab 8: deep generative models. Plain formulas, float64 where the test's inputs are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

Denoiser = Callable[[Tensor, Tensor], Tensor]
Sampler = Callable[[Tensor, Tensor], tuple[Tensor, tuple[Tensor, Tensor]]]
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def kl_to_prior(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mu, exp(log_var)) || N(0, I)) in nats.

    Shape:
        mu, log_var: (N, K); result: (N,)

    Source:
        Kingma and Welling, Auto-encoding variational Bayes (2014), appendix B.
    """
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(dim=1)


def negative_elbo(x: Tensor, logits: Tensor, mu: Tensor, log_var: Tensor, beta: float) -> Tensor:
    """Mean over the batch of -log p(x | z) + beta KL, Bernoulli pixels, in nats.

    Shape:
        x, logits: (N, D); mu, log_var: (N, K); result: ()

    Source:
        Higgins et al., beta-VAE (2017), equation 4.
    """
    log_p = (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(dim=1)
    return (beta * kl_to_prior(mu, log_var) - log_p).mean()


def held_out_loss(sampler: Sampler, loss: Loss, seed: int, steps: int = 200) -> float:
    """Negative ELBO in nats a digit, on digits not trained on, of a VAE that was trained with somebody's parts.

    Networks and optimiser stand here; the parts give values and gradients, so theirs may be computed elsewhere.

    Args:
        sampler: mu, log_var (N, K) -> codes, and the gradient of their sum for mu and log_var.
        loss: x, logits, mu, log_var -> its gradients for logits, mu and log_var.
        steps: of Adam, on 64 of 1500 digits each.
    """
    rng = torch.Generator().manual_seed(seed)
    digits = torch.tensor(load_digits().data / 16)
    sizes = [(32, 64), (8, 32), (32, 4), (64, 32)]
    weights = [(torch.randn(size, generator=rng).double() / size[1] ** 0.5).requires_grad_() for size in sizes]
    biases = [torch.zeros(size[0], dtype=torch.float64, requires_grad=True) for size in sizes]
    optimiser = torch.optim.Adam([*weights, *biases], lr=0.02)

    def half(x: Tensor, first: int) -> Tensor:
        return F.linear(F.linear(x, weights[first], biases[first]).tanh(), weights[first + 1], biases[first + 1])

    for _ in range(steps):
        x = digits[torch.randint(1500, (64,), generator=rng)]
        mu, log_var = half(x, 0).chunk(2, dim=1)
        z, (to_mu, to_log_var) = sampler(mu.detach(), log_var.detach())
        code = z + to_mu * (mu - mu.detach()) + to_log_var * (log_var - log_var.detach())  # z, and its gradient
        logits = half(code, 2)
        for_logits, for_mu, for_log_var = loss(x, logits.detach(), mu.detach(), log_var.detach())
        optimiser.zero_grad()
        torch.autograd.backward([logits, mu, log_var], [for_logits, for_mu, for_log_var])
        optimiser.step()
    with torch.no_grad():
        mu, log_var = half(digits[1500:], 0).chunk(2, dim=1)
        noise = torch.randn(mu.shape, generator=rng).double()
        return float(negative_elbo(digits[1500:], half(mu + (0.5 * log_var).exp() * noise, 2), mu, log_var, 1.0))


def gaussian_log_prob(x: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian, summed over the last dimension.

    Shape:
        x: (..., K); mu, log_var: broadcast to it; result: (...,)
    """
    return (-0.5 * math.log(2 * math.pi) - 0.5 * log_var - 0.5 * (x - mu) ** 2 * (-log_var).exp()).sum(dim=-1)


def spread_of_kl_terms(mu: Tensor, log_var: Tensor) -> Tensor:
    """Standard deviation of log q(z) - log p(z), z ~ q: the sum over k of ((s^2 - 1) e^2 + 2 mu s e + mu^2) / 2 - log s.

    Shape:
        mu, log_var: (N, K); result: (N,)
    """
    variance = log_var.exp()
    return (0.5 * (variance - 1) ** 2 + mu**2 * variance).sum(dim=1).sqrt()


def tile_images(images: Tensor, columns: int) -> Tensor:
    """Pictures in reading order.

    Shape:
        images: (R * columns, h, w); result: (R * h, columns * w)
    """
    rows = [torch.cat(list(images[first : first + columns]), dim=1) for first in range(0, len(images), columns)]
    return torch.cat(rows, dim=0)


def mmd2(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    """Unbiased squared maximum mean discrepancy, kernel exp(-|a - b|^2 / (2 h^2)).

    Shape:
        x: (n, D); y: (m, D); result: ()

    Source:
        Gretton et al., A kernel two-sample test (2012), equation 3.
    """
    n, m = len(x), len(y)
    k = [(-(torch.cdist(a, b) ** 2) / (2 * bandwidth**2)).exp() for a, b in ((x, x), (y, y), (x, y))]
    inside = (k[0].sum() - k[0].trace()) / (n * (n - 1)) + (k[1].sum() - k[1].trace()) / (m * (m - 1))
    return inside - 2 * k[2].mean()


def train_gan(
    generator: nn.Module, discriminator: nn.Module, lr: float, batches: list[tuple[Tensor, Tensor]]
) -> list[tuple[float, float]]:
    """Changes both networks, one step for each (real, noise); gives both losses of each step.

    Shape:
        real: (N, D); noise: (N, K)

    Source:
        Goodfellow et al., Generative adversarial nets (2014), algorithm 1 and the non-saturating loss of section 3.
    """
    opt_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=(0.5, 0.999))
    losses = []
    for real, noise in batches:
        with torch.no_grad():
            fake = generator(noise)
        d_loss = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        g_loss = F.softplus(-discriminator(generator(noise))).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        losses.append((d_loss.item(), g_loss.item()))
    return losses


def schedule(steps: int, start: float, end: float) -> tuple[Tensor, Tensor]:
    """Betas and cumulative products of 1 - beta.

    Shape:
        results: (T,) float64

    Source:
        Ho, Jain and Abbeel, Denoising diffusion probabilistic models (2020), section 2.
    """
    betas = [start + (end - start) * t / (steps - 1) for t in range(steps)]
    alpha_bars, product = [], 1.0
    for beta in betas:
        product *= 1 - beta
        alpha_bars.append(product)
    return torch.tensor(betas, dtype=torch.float64), torch.tensor(alpha_bars, dtype=torch.float64)


def q_sample(x0: Tensor, t: Tensor, eps: Tensor, alpha_bars: Tensor) -> Tensor:
    """Noisy points, item by item.

    Shape:
        x0, eps: (N, ...); t: (N,); alpha_bars: (T,); result: like x0

    Source:
        Ho, Jain and Abbeel (2020), equation 4.
    """
    kept = [alpha_bars[int(step)] for step in t]
    return torch.stack([a.sqrt() * x + (1 - a).sqrt() * e for a, x, e in zip(kept, x0, eps, strict=True)])


def noise_loss(model: Denoiser, x0: Tensor, t: Tensor, eps: Tensor, alpha_bars: Tensor) -> Tensor:
    """Mean squared error of the predicted noise.

    Source:
        Ho, Jain and Abbeel (2020), equation 14.
    """
    return (model(q_sample(x0, t, eps, alpha_bars), t) - eps).square().mean()


def reverse_step(model: Denoiser, x: Tensor, t: int, noise: Tensor, betas: Tensor, alpha_bars: Tensor) -> Tensor:
    """One ancestral step with sigma_t^2 = beta_t.

    Shape:
        x, noise: (N, D); betas, alpha_bars: (T,); result: (N, D)

    Source:
        Ho, Jain and Abbeel (2020), algorithm 2.
    """
    eps = model(x, torch.full((len(x),), t))
    mean = (x - betas[t] / (1 - alpha_bars[t]).sqrt() * eps) / (1 - betas[t]).sqrt()
    return mean + betas[t].sqrt() * noise * float(t > 0)


def linear_chain(weight: Tensor, biases: Tensor, betas: Tensor, alpha_bars: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of ddpm_sample's result where the predicted noise is weight * x + biases[t], by recursion.

    Shape:
        weight: (D,); biases: (T, D); betas, alpha_bars: (T,); results: (D,)
    """
    mean, variance = torch.zeros_like(weight), torch.ones_like(weight)
    for t in reversed(range(len(betas))):
        rate = betas[t] / (1 - alpha_bars[t]).sqrt()
        factor = (1 - rate * weight) / (1 - betas[t]).sqrt()
        mean = factor * mean - rate * biases[t] / (1 - betas[t]).sqrt()
        variance = factor**2 * variance + (betas[t] if t > 0 else 0.0)
    return mean, variance
