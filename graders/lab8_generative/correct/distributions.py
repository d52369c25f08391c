"""torch.distributions wherever it helps; probabilities by log-sigmoid; logarithms of the products."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence


class Autoencoder(nn.Module):
    def __init__(self, n_pixels, n_latent, n_hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(n_pixels, n_hidden)
        self.fc2 = nn.Linear(n_hidden, n_latent)
        self.fc3 = nn.Linear(n_latent, n_hidden)
        self.fc4 = nn.Linear(n_hidden, n_pixels)

    def encode(self, x):
        return self.fc2(F.relu(self.fc1(x)))

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x):
        z = self.encode(x)
        return self.decode(z)


def denoising_pair(x, noise_std):
    noise = torch.randn(x.shape, device=x.device, dtype=x.dtype)
    noisy = x.clone()
    noisy += noise * noise_std
    return noisy, x.clone()


def kl_to_prior(mu, log_var):
    q = Independent(Normal(mu, torch.exp(log_var / 2)), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    return kl_divergence(q, p)


def reparameterise(mu, log_var, training=True):
    return Normal(mu, torch.exp(log_var / 2)).rsample() if training else mu


def negative_elbo(x, logits, mu, log_var, beta=1.0):
    log_likelihood = x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)
    elbo = log_likelihood.sum(-1) - beta * kl_to_prior(mu, log_var)
    return -elbo.mean()


def gaussian_log_prob(x, mu, log_var):
    return Normal(mu, torch.exp(log_var / 2)).log_prob(x).sum(-1)


def monte_carlo_kl(mu, log_var, samples):
    q = Independent(Normal(mu, torch.exp(log_var / 2)), 1)
    p = MultivariateNormal(torch.zeros(mu.shape[1], dtype=mu.dtype, device=mu.device),
                           torch.eye(mu.shape[1], dtype=mu.dtype, device=mu.device))
    z = q.rsample((samples,))
    return (q.log_prob(z) - p.log_prob(z)).mean(0)


def generate(decoder, count, n_latent):
    mode = decoder.training
    decoder.train(False)
    where = next(iter(decoder.parameters()))
    out = decoder(torch.empty(count, n_latent, device=where.device, dtype=where.dtype).normal_())
    decoder.train(mode)
    return out.detach()


def tile_images(images, columns):
    n, h, w = images.shape
    grid = images.view(n // columns, columns, h, w)
    return torch.cat([torch.cat([one for one in row], dim=1) for row in grid], dim=0)


def mmd2(x, y, bandwidth):
    def k(a, b):
        return torch.exp(-torch.cdist(a, b).pow(2) / (2 * bandwidth**2))

    def off_diagonal_mean(m):
        n = m.shape[0]
        return m[~torch.eye(n, dtype=torch.bool, device=m.device)].mean()

    return off_diagonal_mean(k(x, x)) + off_diagonal_mean(k(y, y)) - 2 * torch.mean(k(x, y))


def linear_schedule(steps, start=1e-3, end=0.2):
    betas = start + (end - start) * torch.arange(steps) / (steps - 1)
    return betas, torch.exp(torch.cumsum(torch.log(1 - betas), 0))


def q_sample(x0, t, eps, alpha_bars):
    a = alpha_bars.gather(0, t)
    while a.dim() < x0.dim():
        a = a.unsqueeze(-1)
    return torch.sqrt(a) * x0 + torch.sqrt(1 - a) * eps
