"""One expression each; einsum and matrix identities; GAN gradients by autograd.grad, the reverse step through x0."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


class Autoencoder(nn.Module):
    def __init__(self, n_pixels, n_latent, n_hidden=64):
        super().__init__()

        def mlp(*sizes):
            return nn.Sequential(nn.Linear(sizes[0], sizes[1]), nn.ReLU(), nn.Linear(sizes[1], sizes[2]))

        self.both = nn.ModuleList([mlp(n_pixels, n_hidden, n_latent), mlp(n_latent, n_hidden, n_pixels)])
        self.encode, self.decode = self.both

    def forward(self, x):
        return nn.Sequential(*self.both)(x)


def denoising_pair(x, noise_std):
    return torch.lerp(x, x + torch.randn_like(x), noise_std), x


def kl_to_prior(mu, log_var):
    return torch.sum(log_var.expm1() - log_var + mu * mu, 1) / 2


def reparameterise(mu, log_var, training=True):
    return torch.addcmul(mu, torch.randn_like(mu), torch.exp(0.5 * log_var), value=float(training))


def negative_elbo(x, logits, mu, log_var, beta=1.0):
    reconstruction = torch.mean(torch.sum(softplus(logits) - x * logits, 1))
    return reconstruction + beta * kl_to_prior(mu, log_var).mean()


def gaussian_log_prob(x, mu, log_var):
    return -F.gaussian_nll_loss(*torch.broadcast_tensors(x, mu, log_var.exp()), full=True, eps=0, reduction="none").sum(-1)


def monte_carlo_kl(mu, log_var, samples):
    eps = torch.randn(samples, *mu.shape, dtype=mu.dtype, device=mu.device)
    z = mu + (log_var / 2).exp() * eps
    return 0.5 * torch.einsum("snk->n", z**2 - eps**2 - log_var) / samples


def generate(decoder, count, n_latent):
    modes = {module: module.training for module in decoder.modules()}
    decoder.eval()
    with torch.inference_mode():
        out = decoder(torch.randn(count, n_latent).to(next(decoder.parameters())))
    for module, mode in modes.items():
        module.training = mode
    return out.clone()


def tile_images(images, columns):
    h, w = images.shape[1:]
    return images.unflatten(0, (-1, columns)).permute(0, 2, 1, 3).reshape(-1, columns * w)


def mmd2(x, y, bandwidth):
    z, n = torch.cat([x, y]), len(x)
    k = torch.exp(-0.5 * ((z[:, None] - z) / bandwidth).pow(2).sum(-1)).fill_diagonal_(0)
    m = len(y)
    return k[:n, :n].sum() / n / (n - 1) + k[n:, n:].sum() / m / (m - 1) - k[:n, n:].mean() - k[n:, :n].mean()


class GanTrainer:
    def __init__(self, generator, discriminator, lr=1e-3):
        self.networks = {"g": generator, "d": discriminator}
        self.optimisers = {name: torch.optim.Adam(net.parameters(), lr, (0.5, 0.999)) for name, net in self.networks.items()}

    def _minimise(self, name, loss):
        net = self.networks[name]
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        for parameter, gradient in zip(net.parameters(), gradients):
            parameter.grad = gradient
        self.optimisers[name].step()
        return loss.item()

    def step(self, real, noise):
        g, d = self.networks["g"], self.networks["d"]
        points = d(torch.cat([real, g(noise)]))
        labels = torch.cat([torch.ones_like(points[: len(real)]), torch.zeros_like(points[len(real):])])
        each = binary_cross_entropy_with_logits(points, labels, reduction="none")
        d_loss = self._minimise("d", each[: len(real)].mean() + each[len(real):].mean())
        return d_loss, self._minimise("g", softplus(-d(g(noise))).mean())


def linear_schedule(steps, start=1e-3, end=0.2):
    betas = torch.linspace(start, end, steps, dtype=torch.float64)
    return betas, (1 - betas).cumprod(0)


def q_sample(x0, t, eps, alpha_bars):
    a = alpha_bars[t][(...,) + (None,) * (x0.ndim - 1)]
    return a**0.5 * x0 + (1 - a) ** 0.5 * eps


def noise_loss(model, x0, t, eps, alpha_bars):
    return torch.mean((eps - model(q_sample(x0, t, eps, alpha_bars), t)) ** 2)


def reverse_step(model, x, t, noise, betas, alpha_bars):
    before = alpha_bars[t - 1] if t > 0 else torch.ones_like(alpha_bars[0])
    eps = model(x, torch.full((x.shape[0],), t, dtype=torch.long, device=x.device))
    x0 = (x - (1 - alpha_bars[t]).sqrt() * eps) / alpha_bars[t].sqrt()
    kept = (1 - betas[t]).sqrt() * (1 - before) / (1 - alpha_bars[t])
    mean = before.sqrt() * betas[t] / (1 - alpha_bars[t]) * x0 + kept * x
    return mean + (betas[t].sqrt() if t else 0) * noise


def ddpm_sample(model, count, dim, betas, alpha_bars):
    x = torch.empty(count, dim).to(betas).normal_()
    with torch.inference_mode():
        for t in torch.arange(len(betas)).flip(0).tolist():
            x = reverse_step(model, x, t, torch.randn_like(x), betas, alpha_bars)
    return x
