"""Everything written out: loops over draws, pairs, pictures and steps; explicit labels for the GAN."""

import math

import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, n_pixels, n_latent, n_hidden=64):
        super().__init__()
        self.down = nn.Linear(n_pixels, n_hidden)
        self.code = nn.Linear(n_hidden, n_latent)
        self.decoder = nn.Sequential()
        self.decoder.add_module("up", nn.Linear(n_latent, n_hidden))
        self.decoder.add_module("relu", nn.ReLU())
        self.decoder.add_module("out", nn.Linear(n_hidden, n_pixels))

    def encode(self, x):
        h = torch.clamp(self.down(x), min=0)
        return self.code(h)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decoder(self.encode(x))


def denoising_pair(x, noise_std):
    noisy = torch.normal(mean=x, std=float(noise_std))
    return [noisy, x]


def kl_to_prior(mu, log_var):
    total = torch.zeros(mu.shape[0], dtype=mu.dtype, device=mu.device)
    for k in range(mu.shape[1]):
        total = total - 0.5 * (1 + log_var[:, k] - mu[:, k] ** 2 - torch.exp(log_var[:, k]))
    return total


def reparameterise(mu, log_var, training=True):
    if training:
        std = torch.sqrt(torch.exp(log_var))
        eps = torch.randn(*mu.shape, dtype=mu.dtype, device=mu.device)
        return eps * std + mu
    else:
        return mu


def negative_elbo(x, logits, mu, log_var, beta=1.0):
    bce = nn.BCEWithLogitsLoss(reduction="sum")(logits, x)
    kl = kl_to_prior(mu, log_var).sum()
    return (bce + beta * kl) / x.shape[0]


def gaussian_log_prob(x, mu, log_var):
    var = torch.exp(log_var)
    return torch.sum(torch.log(1 / torch.sqrt(2 * math.pi * var)) - (x - mu) ** 2 / (2 * var), dim=-1)


def monte_carlo_kl(mu, log_var, samples):
    total, zeros = 0, torch.zeros_like(mu)
    for _ in range(samples):
        z = reparameterise(mu, log_var)
        total = total + gaussian_log_prob(z, mu, log_var) - gaussian_log_prob(z, zeros, zeros)
    return total / samples


def generate(decoder, count, n_latent):
    was_training = decoder.training
    decoder.eval()
    device = next(decoder.parameters()).device
    z = torch.distributions.Normal(0.0, 1.0).sample((count, n_latent)).to(device)
    with torch.no_grad():
        images = decoder(z)
    if was_training:
        decoder.train()
    return images


def tile_images(images, columns):
    n, h, w = images.shape
    picture = torch.zeros(n // columns * h, columns * w, dtype=images.dtype, device=images.device)
    for i in range(n):
        r, c = divmod(i, columns)
        picture[r * h : (r + 1) * h, c * w : (c + 1) * w] = images[i]
    return picture


def mmd2(x, y, bandwidth):
    def k(a, b):
        return torch.exp(-((a - b) ** 2).sum(-1) / (2 * bandwidth**2))

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[torch.arange(n) != i]).sum() for i in range(n)) / (n * (n - 1))
    yy = sum(k(y[i], y[torch.arange(m) != i]).sum() for i in range(m)) / (m * (m - 1))
    xy = sum(k(x[i], y).sum() for i in range(n)) / (n * m)
    return xx + yy - 2 * xy


class GanTrainer:
    def __init__(self, generator, discriminator, lr=1e-3):
        self.g, self.d = generator, discriminator
        self.g_optimiser = torch.optim.Adam(self.g.parameters(), lr=lr, betas=(0.5, 0.999))
        self.d_optimiser = torch.optim.Adam(self.d.parameters(), lr=lr, betas=(0.5, 0.999))
        self.criterion = nn.BCEWithLogitsLoss()

    def step(self, real, noise):
        ones = torch.ones(len(real), 1, dtype=real.dtype, device=real.device)
        zeros = torch.zeros(len(noise), 1, dtype=real.dtype, device=real.device)
        self.d.zero_grad()
        real_loss = self.criterion(self.d(real), ones)
        real_loss.backward()
        with torch.no_grad():
            fake = self.g(noise)
        fake_loss = self.criterion(self.d(fake), zeros)
        fake_loss.backward()
        self.d_optimiser.step()

        self.g.zero_grad()
        g_loss = self.criterion(self.d(self.g(noise)), torch.ones(len(noise), 1, dtype=real.dtype, device=real.device))
        g_loss.backward()
        self.g_optimiser.step()
        return (real_loss + fake_loss).item(), g_loss.item()


def linear_schedule(steps, start=1e-3, end=0.2):
    betas = torch.tensor([start + (end - start) * i / (steps - 1) for i in range(steps)])
    alpha_bars, running = [], 1.0
    for beta in betas:
        running = running * (1.0 - beta.item())
        alpha_bars.append(running)
    return betas, torch.tensor(alpha_bars)


def q_sample(x0, t, eps, alpha_bars):
    result = torch.empty_like(x0)
    for i in range(len(x0)):
        a = alpha_bars[t[i]]
        result[i] = a**0.5 * x0[i] + (1 - a) ** 0.5 * eps[i]
    return result


def noise_loss(model, x0, t, eps, alpha_bars):
    predicted = model(q_sample(x0, t, eps, alpha_bars), t)
    return ((eps - predicted) ** 2).sum() / eps.numel()


def reverse_step(model, x, t, noise, betas, alpha_bars):
    steps = torch.tensor([t] * x.shape[0], device=x.device)
    alpha, beta, alpha_bar = 1 - betas[t], betas[t], alpha_bars[t]
    mean = 1 / torch.sqrt(alpha) * (x - beta / torch.sqrt(1 - alpha_bar) * model(x, steps))
    if t == 0:
        return mean
    return mean + torch.sqrt(beta) * noise


def ddpm_sample(model, count, dim, betas, alpha_bars):
    x = torch.randn(count, dim).to(betas)
    t = len(betas) - 1
    while t >= 0:
        x = reverse_step(model, x, t, torch.randn(count, dim).to(betas), betas, alpha_bars).detach()
        t -= 1
    return x
