"""Wrong answers to lab 8, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab8_generative" / "lab8_generative.ipynb"
CELLS = {
    cell: solution(NOTEBOOK, cell)
    for cell in (
        "autoencoder", "denoising", "posterior", "elbo", "montecarlo", "generation", "mmd", "gan", "schedule", "noise-loss",
        "sampler",
    )
}  # fmt: skip
HALVES, BOTTLENECK, PAIR, KL = (
    "test_autoencoder_halves", "test_autoencoder_bottleneck", "test_denoising_pair", "test_kl_to_prior",
)  # fmt: skip
QUIET = "test_reparameterise_without_noise"
MOMENTS, GRADIENT, ELBO = "test_reparameterise_moments", "test_reparameterise_gradient", "test_negative_elbo"
TRAINED = "test_vae_trained_on_digits"
DENSITY, MONTE_CARLO, PRIOR = "test_gaussian_log_prob", "test_monte_carlo_kl", "test_generate_draws_from_the_prior"
MODE, TILE, MMD, GAN = "test_generate_leaves_the_decoder_as_it_was", "test_tile_images", "test_mmd2", "test_gan_step"
SCHEDULE, NOISY, LOSS, BACK, CHAIN = (
    "test_linear_schedule", "test_q_sample", "test_noise_loss", "test_reverse_step", "test_ddpm_sample",
)  # fmt: skip

DIVERGENCE = "return 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(dim=-1)"
DRAWN = "return mu + (0.5 * log_var).exp() * torch.randn_like(mu)"
COST = "return (reconstruction + beta * kl_to_prior(mu, log_var)).mean()"
RECONSTRUCTION = 'F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)'
RATIO = "(gaussian_log_prob(z, mu, log_var) - gaussian_log_prob(z, zero, zero))"
CODES = "z = torch.randn(count, n_latent, device=next(decoder.parameters()).device)"
LABELS_OF_D = "F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))"
LABELS_OF_FAKES = "F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))"
JUDGED = "        on_fake = self.discriminator(fake)\n"
JUDGED_ANEW = "        on_fake = self.discriminator(self.generator(noise))\n"
G_LOSS = "g_loss = F.binary_cross_entropy_with_logits(on_fake, torch.ones_like"
WITHOUT_GRAPH = "    with torch.no_grad():"
MIX = "return alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps"


def mutant(cell, name, bug, killed_by, *changes):
    killers = (killed_by,) if isinstance(killed_by, str) else killed_by
    return Mutant(name, bug, cell, edited(CELLS[cell], *changes), killers)


AUTOENCODERS = (
    mutant("autoencoder", "ae_skip_leak", "the input bypasses the bottleneck", (BOTTLENECK, HALVES),
           ("return self.decode(self.encode(x))", "return self.decode(self.encode(x)) + x")),
    mutant("autoencoder", "ae_wrong_latent", "the bottleneck is as wide as the input", (BOTTLENECK, HALVES),
           ("nn.Linear(n_hidden, n_latent)", "nn.Linear(n_hidden, n_pixels)"),
           ("nn.Linear(n_latent, n_hidden)", "nn.Linear(n_pixels, n_hidden)")),
    mutant("autoencoder", "ae_sigmoid_out", "probabilities where logits are asked for", HALVES,
           ("nn.Linear(n_hidden, n_pixels))", "nn.Linear(n_hidden, n_pixels), nn.Sigmoid())")),
    mutant("autoencoder", "ae_relu_code", "a ReLU on the code", HALVES,
           ("nn.Linear(n_hidden, n_latent))", "nn.Linear(n_hidden, n_latent), nn.ReLU())")),
    mutant("autoencoder", "ae_linear_decoder", "no non-linearity in the decoder: little more than PCA", HALVES,
           ("nn.Linear(n_latent, n_hidden), nn.ReLU()", "nn.Linear(n_latent, n_hidden)")),
    mutant("autoencoder", "ae_hard_coded_width", "written for 64 pixels and two codes", (HALVES, BOTTLENECK),
           ("nn.Linear(n_pixels, n_hidden)", "nn.Linear(64, n_hidden)"),
           ("nn.Linear(n_hidden, n_pixels)", "nn.Linear(n_hidden, 64)")),
    mutant("autoencoder", "ae_plain_list", "layers in a plain list: not registered, so never trained", HALVES,
           ("self.encoder = nn.Sequential(", "self.layers = [nn.Sequential("),
           ("nn.Linear(n_hidden, n_latent))", "nn.Linear(n_hidden, n_latent)).double()]"),
           ("self.decoder = nn.Sequential(", "self.more = [nn.Sequential("),
           ("nn.Linear(n_hidden, n_pixels))", "nn.Linear(n_hidden, n_pixels)).double()]"),
           ("return self.encoder(x)", "return self.layers[0](x)"), ("return self.decoder(z)", "return self.more[0](z)")),
    mutant("denoising", "dae_target_noisy", "the target is the noisy input", PAIR,
           ("return x + noise_std * torch.randn_like(x), x", "x = x + noise_std * torch.randn_like(x)\n    return x, x")),
    mutant("denoising", "dae_noise_fixed", "the same noise for all samples", PAIR,
           ("torch.randn_like(x)", "torch.randn_like(x[:1])")),
    mutant("denoising", "dae_no_noise", "no corruption", PAIR, ("x + noise_std * torch.randn_like(x), x", "x.clone(), x")),
    mutant("denoising", "dae_variance", "noise_std taken for a variance", PAIR, ("+ noise_std *", "+ noise_std**0.5 *")),
)  # fmt: skip

POSTERIORS = (
    mutant("elbo", "kl_missing", "KL term missing", (ELBO, TRAINED), (COST, "return reconstruction.mean()")),
    mutant("elbo", "kl_sign", "KL subtracted", (ELBO, TRAINED), ("+ beta *", "- beta *")),
    mutant("posterior", "kl_logvar_as_logstd", "log sigma treated as log sigma^2", KL,
           (DIVERGENCE, "return 0.5 * (mu.square() + (2 * log_var).exp() - 1 - 2 * log_var).sum(dim=-1)")),
    mutant("posterior", "kl_mean_latent", "mean over the latent dimensions", KL, (".sum(dim=-1)", ".mean(dim=-1)")),
    mutant("posterior", "kl_prior_swapped", "KL(p||q) for KL(q||p)", KL,
           (DIVERGENCE, "return 0.5 * ((1 + mu.square()) / log_var.exp() - 1 + log_var).sum(dim=-1)")),
    mutant("posterior", "kl_std_for_var", "sigma for sigma^2", KL, ("log_var.exp() - 1", "(0.5 * log_var).exp() - 1")),
    mutant("posterior", "no_reparam", "z detached: no gradient reaches the encoder", (GRADIENT, TRAINED),
           (DRAWN, "return (mu + (0.5 * log_var).exp() * torch.randn_like(mu)).detach()")),
    mutant("posterior", "sample_logvar_as_std", "std = exp(log_var)", (MOMENTS, GRADIENT),
           ("(0.5 * log_var).exp()", "log_var.exp()")),
    mutant("posterior", "sample_eps_shared", "one eps for the whole batch", MOMENTS,
           ("torch.randn_like(mu)", "torch.randn_like(mu[:1])")),
    mutant("posterior", "sample_eps_shared_dims", "one eps for all dimensions of an item", (MOMENTS, TRAINED),
           ("torch.randn_like(mu)", "torch.randn(len(mu), 1)")),
    mutant("posterior", "sample_noise_at_eval", "noise at evaluation, where the mean is specified", QUIET,
           ("if not training:", "if mu is None:")),
    mutant("posterior", "sample_seeded", "the generator seeded inside the function: the same noise every time", MOMENTS,
           ("    if not training:", "    torch.manual_seed(0)\n    if not training:")),
    mutant("posterior", "sample_float32", "the code cast to float32", MOMENTS,
           (DRAWN, "return (mu + (0.5 * log_var).exp() * torch.randn_like(mu)).float()")),
    mutant("posterior", "sample_sigma_detached", "no gradient to log_var", GRADIENT,
           ("(0.5 * log_var).exp()", "(0.5 * log_var).exp().detach()")),
    mutant("elbo", "bce_mean", "mean over the pixels: reconstruction D times too small", (ELBO, TRAINED),
           (RECONSTRUCTION, "F.binary_cross_entropy_with_logits(logits, x)")),
    mutant("elbo", "bce_no_sigmoid", "cross-entropy of probabilities given logits", (ELBO, TRAINED),
           (RECONSTRUCTION, 'F.binary_cross_entropy(logits.clamp(1e-6, 1 - 1e-6), x, reduction="none").sum(dim=1)')),
    mutant("elbo", "bce_of_rounded_probability", "the logarithm of a rounded probability: wrong for large logits", ELBO,
           (RECONSTRUCTION, 'F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(dim=1)')),
    mutant("elbo", "elbo_beta_on_reconstruction", "beta weighs the wrong term", ELBO,
           (COST, "return (beta * reconstruction + kl_to_prior(mu, log_var)).mean()")),
    mutant("elbo", "elbo_batch_sum", "sum over the batch", ELBO, ("log_var)).mean()", "log_var)).sum()")),
    mutant("elbo", "elbo_global_mu", "uses the global `digits` for the size of the batch", ELBO,
           (COST, "return (reconstruction + beta * kl_to_prior(mu, log_var)).sum() / len(digits)")),
    mutant("montecarlo", "mc_kl_swapped", "log p - log q", MONTE_CARLO,
           (RATIO, "(gaussian_log_prob(z, zero, zero) - gaussian_log_prob(z, mu, log_var))")),
    mutant("montecarlo", "mc_kl_abs", "absolute value of the terms", MONTE_CARLO, (RATIO, RATIO + ".abs()")),
    mutant("montecarlo", "mc_kl_closed_form", "the closed form instead of an estimate", MONTE_CARLO,
           ("return (gaussian", "return kl_to_prior(mu[0], log_var[0])\n    return (gaussian")),
    mutant("montecarlo", "gauss_ll_no_const", "log 2 pi missing", DENSITY, ("math.log(2 * math.pi) + log_var", "log_var")),
    mutant("montecarlo", "gauss_ll_sign", "the negative log-likelihood", DENSITY, ("return -0.5 * (math", "return 0.5 * (math")),
    mutant("montecarlo", "gauss_ll_const_once", "log 2 pi once, not for each dimension", DENSITY,
           ("(math.log(2 * math.pi) + log_var + (x - mu).square() / log_var.exp()).sum(dim=-1)",
            "(math.log(2 * math.pi) + (log_var + (x - mu).square() / log_var.exp()).sum(dim=-1))")),
)  # fmt: skip

SAMPLERS = (
    mutant("generation", "gen_const", "one z for all samples", PRIOR,
           (CODES, "z = torch.randn(1, n_latent).expand(count, n_latent)")),
    mutant("generation", "gen_uses_train_mode", "generator sampled in train mode", MODE, ("    decoder.eval()\n", "")),
    mutant("generation", "prior_scale", "prior std 0.3", PRIOR, ("z = torch.randn(", "z = 0.3 * torch.randn(")),
    mutant("generation", "prior_uniform", "U(0, 1) for N(0, 1)", PRIOR, ("z = torch.randn(", "z = torch.rand(")),
    mutant("generation", "prior_symmetric_uniform", "a uniform prior with mean 0 and variance 1", PRIOR,
           (CODES, "z = 12**0.5 * (torch.rand(count, n_latent) - 0.5)")),
    mutant("generation", "gen_always_train", "the decoder is put into train mode afterwards, whatever it was", MODE,
           ("decoder.train(before)", "decoder.train()")),
    mutant("generation", "gen_keeps_graph", "no torch.no_grad()", MODE, ("with torch.no_grad():", "if True:")),
    mutant("generation", "gen_seeded", "seeded inside: always the same digits", PRIOR,
           (WITHOUT_GRAPH, "    torch.manual_seed(0)\n" + WITHOUT_GRAPH)),
    mutant("generation", "gen_from_global_vae", "uses the notebook's own `vae`", (PRIOR, MODE),
           ("made = decoder(z)", "made = vae.decoder(z)")),
    mutant("generation", "tile_grid_transposed", "latent grid transposed: columns first", TILE,
           ("images.reshape(rows, columns, h, w).transpose(1, 2)", "images.reshape(columns, rows, h, w).permute(1, 2, 0, 3)")),
    mutant("mmd", "mmd_biased", "the pairs i = j are left in", MMD,
           ("(kernel(x, x).sum() - n) / (n * (n - 1))", "kernel(x, x).mean()"),
           ("(kernel(y, y).sum() - m) / (m * (m - 1))", "kernel(y, y).mean()")),
    mutant("mmd", "mmd_bandwidth_not_squared", "h for h^2", MMD, ("bandwidth**2", "bandwidth")),
)  # fmt: skip

GANS = (
    mutant("gan", "gan_d_no_detach", "the loss of D goes back into G and pollutes its step", GAN,
           ("fake.detach()", "fake"), ("d_loss.backward()", "self.opt_g.zero_grad()\n        d_loss.backward()"),
           (JUDGED, JUDGED_ANEW),
           ("        self.opt_g.zero_grad()\n        g_loss", "        g_loss")),
    mutant("gan", "gan_g_wrong_label", "G trained with the label of fakes", GAN,
           (G_LOSS, G_LOSS.replace("ones", "zeros"))),
    mutant("gan", "gan_d_labels_swapped", "labels of real and fake exchanged", GAN,
           (LABELS_OF_D, LABELS_OF_D.replace("ones", "zeros")), (LABELS_OF_FAKES, LABELS_OF_FAKES.replace("zeros", "ones"))),
    mutant("gan", "gan_opt_d_includes_g", "the optimiser of D also updates G", GAN,
           ("Adam(discriminator.parameters(), lr", "Adam([*discriminator.parameters(), *generator.parameters()], lr"),
           ("fake.detach()", "fake"), (JUDGED, JUDGED_ANEW)),
    mutant("gan", "gan_step_g_in_d", "G stepped in the phase of D", GAN,
           ("fake.detach()", "fake"), ("self.opt_d.zero_grad()", "self.opt_d.zero_grad()\n        self.opt_g.zero_grad()"),
           ("self.opt_d.step()", "self.opt_d.step()\n        self.opt_g.step()"),
           (JUDGED, JUDGED_ANEW)),
    mutant("gan", "gan_saturating", "log(1 - D(G(z))) minimised: the saturating loss", GAN,
           (G_LOSS, G_LOSS.replace("ones", "zeros").replace("= F", "= -F"))),
    mutant("gan", "gan_d_grads_pile_up", "what the phase of G left in D's gradients is used", GAN,
           ("        self.opt_d.zero_grad()\n", "")),
    mutant("gan", "gan_old_discriminator", "G judged by the discriminator before its update", GAN,
           (JUDGED, "        on_fake = old\n"),
           ("        d_loss = F.binary", "        import copy\n"
            "        old = copy.deepcopy(self.discriminator)(fake)\n        d_loss = F.binary")),
    mutant("gan", "gan_optimiser_each_step", "new optimisers in every step: their state is lost", GAN,
           ("        fake = self.generator(noise)\n        on_real", "        lr = self.opt_g.param_groups[0]['lr']\n"
            "        self.__init__(self.generator, self.discriminator, lr)\n"
            "        fake = self.generator(noise)\n        on_real")),
)  # fmt: skip

DIFFUSIONS = (
    mutant("schedule", "diff_cumsum", "a running mean for the running product", SCHEDULE,
           ("torch.cumprod(1 - betas, dim=0)", "torch.cumsum(1 - betas, dim=0) / torch.arange(1, steps + 1)")),
    mutant("schedule", "beta_schedule_endpoint", "the end of linspace lost", SCHEDULE,
           ("torch.linspace(start, end, steps)", "torch.linspace(start, end, steps + 1)[:-1]")),
    mutant("schedule", "diff_global_defaults", "start and end ignored", SCHEDULE,
           ("torch.linspace(start, end", "torch.linspace(1e-3, 0.2")),
    mutant("schedule", "diff_no_sqrt", "no square root of alpha-bar", NOISY,
           (MIX, "return alpha_bar * x0 + (1 - alpha_bar) * eps")),
    mutant("schedule", "diff_t_off1", "time index off by one", NOISY, ("alpha_bars[t].reshape", "alpha_bars[t - 1].reshape")),
    mutant("schedule", "diff_wrong_axis", "alpha-bar broadcast along the columns", NOISY,
           ("alpha_bars[t].reshape(-1, *[1] * (x0.dim() - 1))", "alpha_bars[t]")),
    mutant("schedule", "diff_two_axes_only", "written for (N, D): pictures fail", NOISY,
           ("reshape(-1, *[1] * (x0.dim() - 1))", "reshape(-1, 1)")),
    mutant("noise-loss", "diff_predict_x0", "regresses x0 instead of eps", LOSS, ("t), eps)", "t), x0)")),
    mutant("noise-loss", "diff_loss_sum", "a sum over all entries", LOSS, ("t), eps)", 't), eps, reduction="sum")')),
    mutant("noise-loss", "diff_loss_detached", "the loss as a bare number: nothing learns", LOSS,
           ("t), eps)", "t), eps).detach()")),
    mutant("sampler", "back_noise_at_the_end", "noise in the last step too", BACK, ("if t > 0 else mean", "")),
    mutant("sampler", "back_alpha_bar_for_alpha", "divided by the root of alpha-bar", BACK,
           ("/ (1 - betas[t]).sqrt()", "/ alpha_bars[t].sqrt()")),
    mutant("sampler", "back_t_of_zero", "the model is always asked about step 0", BACK,
           ("torch.full((len(x),), t,", "torch.full((len(x),), 0,")),
    mutant("sampler", "chain_forwards", "from t = 0 to T-1", CHAIN, ("reversed(range(len(betas)))", "range(len(betas))")),
    mutant("sampler", "chain_stops_early", "the last step left out", CHAIN,
           ("reversed(range(len(betas)))", "range(len(betas) - 1, 0, -1)")),
    mutant("sampler", "chain_same_noise", "the same noise in every step", CHAIN,
           (WITHOUT_GRAPH, "    noise = torch.randn_like(x)\n" + WITHOUT_GRAPH),
           ("x, t, torch.randn_like(x), betas", "x, t, noise, betas")),
    mutant("sampler", "chain_keeps_graph", "no torch.no_grad()", CHAIN, ("with torch.no_grad():", "if True:")),
)  # fmt: skip

MUTANTS = AUTOENCODERS + POSTERIORS + SAMPLERS + GANS + DIFFUSIONS
