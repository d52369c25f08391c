"""Wrong answers to lab 3, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab3_optimisation" / "lab3_optimisation.ipynb"
SOURCES = {
    cell: solution(NOTEBOOK, cell)
    for cell in ("rastrigin", "sgd", "minimise", "batches", "rate", "train", "hinge", "svm", "quadratic", "steps")
}
SOURCES["Adagrad"], ADAM = solution(NOTEBOOK, "adaptive").split("\n\n\nclass Adam(")
SOURCES["Adam"] = "class Adam(" + ADAM

RASTRIGIN, MOMENTUM, NESTEROV, DECAY = "test_rastrigin", "test_sgd_momentum", "test_sgd_nesterov", "test_sgd_weight_decay"
ALONE, ADAGRAD, STEPS, TINY = "test_gradients_are_left_alone", "test_adagrad", "test_adam", "test_adam_tiny_gradients"
ADAPTIVE_DECAY, ZERO, NONE = "test_adaptive_weight_decay", "test_zero_gradients", "test_parameters_without_a_gradient"
LOOP, COVER, RANDOM, RATE = "test_minimise", "test_batches_cover_everything", "test_batches_are_random", "test_cosine_rate"
EXAMPLES, RATES, HINGE, SVM = "test_train_sees_every_example", "test_train_rates", "test_hinge", "test_fit_svm"
SVM_BATCHES, VALLEY, COUNT = "test_fit_svm_batches", "test_quadratic", "test_steps_needed"

GRADIENT, STORED = "g = p.grad + self.weight_decay * p", "buffer.mul_(self.momentum).add_(g)"
SGD_STEP = "p -= self.lr * (g + self.momentum * buffer if self.nesterov else buffer)"
BUFFERS = "self.buffers = [torch.zeros_like(p) for p in self.params]"
ADAGRAD_STEP = "p -= self.lr * g / (v.sqrt() + self.eps)"
ADAM_STEP, HATS = "p -= self.lr * m_hat / (v_hat.sqrt() + self.eps)", "m / (1 - beta_1**self.t), v / (1 - beta_2**self.t)"
SKIPPED = "            if p.grad is None:\n                continue\n"
ZEROED, WALKED, STEPPED = "        optimiser.zero_grad()\n", "        value.backward()\n", "        optimiser.step()\n"
SPLIT, TAKEN = "torch.randperm(n).split(batch_size)", "y[index]), optimiser"
SCHEDULED = "        optimiser.lr = schedule(epoch)\n"
HINGED, OBJECTIVE = "(1 - y * scores.reshape(-1)).clamp(min=0).mean()", "hinge(x[index] @ w + b, y[index]) + lam / 2 * w @ w"
WARM, COSINE = "return lr * (epoch + 1) / warmup", "(epoch - warmup) / (epochs - warmup)"


def mutant(replaces, name, bug, killed_by, *changes):
    killed = killed_by if isinstance(killed_by, tuple) else (killed_by,)
    return Mutant(name, bug, replaces, edited(SOURCES[replaces], *changes), killed)


MUTANTS = (
    # The catalogue's, L3-01 to L3-24.
    mutant("sgd", "mom_ema_dampened", "momentum buffer uses (1 - mu) g", (MOMENTUM, NESTEROV, DECAY),
           (STORED, "buffer.mul_(self.momentum).add_((1 - self.momentum) * g)")),
    mutant("sgd", "mom_no_buffer", "momentum ignored", (MOMENTUM, NESTEROV, DECAY), (SGD_STEP, "p -= self.lr * g")),
    mutant("Adam", "adam_no_bias_corr", "no bias correction", (STEPS, TINY, ADAPTIVE_DECAY), (HATS, "m, v")),
    mutant("Adam", "adam_t_from_0", "step counter starts at 0 (0 / 0)", (STEPS, TINY, ADAPTIVE_DECAY),
           ("        self.t += 1\n", ""), (ADAM_STEP, ADAM_STEP + "\n        self.t += 1")),
    mutant("Adam", "adam_no_sqrt", "divides by v, not by its root", (STEPS, TINY, ADAPTIVE_DECAY),
           (ADAM_STEP, "p -= self.lr * m_hat / (v_hat + self.eps)")),
    mutant("Adam", "adam_eps_in_sqrt", "root of (v + eps): only visible for tiny gradients", TINY,
           (ADAM_STEP, "p -= self.lr * m_hat / (v_hat + self.eps).sqrt()")),
    mutant("Adam", "adam_beta_swapped", "beta_1 and beta_2 swapped", (STEPS, TINY, ADAPTIVE_DECAY),
           ("beta_1, beta_2 = self.betas", "beta_2, beta_1 = self.betas")),
    mutant("Adagrad", "adagrad_no_accum", "v = g^2 (no accumulation)", ADAGRAD, ("v += g**2", "v = g**2")),
    mutant("Adagrad", "adagrad_eps_missing", "0 / 0 for zero gradient", ZERO, (ADAGRAD_STEP, "p -= self.lr * g / v.sqrt()")),
    mutant("sgd", "wd_ignored", "weight_decay unused", (DECAY, ALONE), (GRADIENT, "g = p.grad.clone()")),
    mutant("sgd", "wd_decoupled", "decoupled instead of L2", DECAY,
           (GRADIENT, "g = p.grad.clone()\n            p *= 1 - self.lr * self.weight_decay")),
    mutant("sgd", "wd_sign", "weight decay grows weights", (DECAY, ALONE), (GRADIENT, "g = p.grad - self.weight_decay * p")),
    mutant("Adam", "state_shared_across_params", "one memory for all parameters of a shape", (STEPS, TINY, ADAPTIVE_DECAY),
           ("        self.means = [torch.zeros_like(p) for p in self.params]\n"
            "        self.squares = [torch.zeros_like(p) for p in self.params]\n",
            "        means, squares = ({p.shape: torch.zeros_like(p) for p in self.params} for _ in range(2))\n"
            "        self.means = [means[p.shape] for p in self.params]\n"
            "        self.squares = [squares[p.shape] for p in self.params]\n")),
    mutant("sgd", "inplace_grad_wd", "weight decay added in place to p.grad (visible only when gradients accumulate)", ALONE,
           (GRADIENT, "g = p.grad.add_(self.weight_decay * p)")),
    mutant("train", "sched_per_batch", "schedule asked per batch", (EXAMPLES, RATES), (SCHEDULED, ""),
           ("        for index in batches(len(x), batch_size):\n",
            "        for index in batches(len(x), batch_size):\n            optimiser.lr = schedule(len(rates))\n")),
    mutant("hinge", "hinge_sign", "max(0, 1 + y s)", HINGE, (HINGED, "(1 + y * scores.reshape(-1)).clamp(min=0).mean()")),
    mutant("hinge", "hinge_labels01", "labels mapped to {0, 1}", HINGE,
           (HINGED, "(1 - (y > 0).to(scores.dtype) * scores.reshape(-1)).clamp(min=0).mean()")),
    mutant("hinge", "hinge_sum", "sum instead of mean", HINGE, (".mean()", ".sum()")),
    mutant("hinge", "hinge_unclamped", "max(0, .) missing", HINGE, (".clamp(min=0)", "")),
    mutant("rastrigin", "rastrigin_pi", "cos(pi x), not cos(2 pi x)", RASTRIGIN, ("2 * torch.pi * x", "torch.pi * x")),
    mutant("rastrigin", "rastrigin_no_An", "constant A n missing", RASTRIGIN, ("a * x.shape[-1] + ", "")),
    mutant("minimise", "zero_grad_before_step", "zero_grad between backward and step", LOOP,
           (ZEROED, ""), (WALKED, WALKED + ZEROED)),
    mutant("sgd", "nesterov_wrong", "Nesterov's look-ahead missing", NESTEROV, (SGD_STEP, "p -= self.lr * buffer")),
    mutant("batches", "drops_last_batch", "last partial batch never seen", COVER,
           (f"list({SPLIT})", "[index for index in torch.randperm(n).split(batch_size) if len(index) == batch_size]")),
    # Our own.
    mutant("rastrigin", "rastrigin_n_is_the_number_of_points", "len(x) for the number of coordinates", RASTRIGIN,
           ("x.shape[-1]", "len(x)")),
    mutant("sgd", "sgd_one_buffer", "the last parameter's buffer serves those of its shape", (MOMENTUM, NESTEROV, DECAY),
           (BUFFERS, "buffers = {p.shape: torch.zeros_like(p) for p in self.params}\n"
            "        self.buffers = [buffers[p.shape] for p in self.params]")),
    mutant("sgd", "sgd_rebinds", "p = p - ...: nobody else sees the new value", (MOMENTUM, NESTEROV, DECAY),
           (SGD_STEP, SGD_STEP.replace("p -= self.lr *", "p = p - self.lr *"))),
    mutant("sgd", "sgd_only_the_first", "return inside the loop", (MOMENTUM, NESTEROV, DECAY),
           (SGD_STEP, SGD_STEP + "\n            return")),
    mutant("sgd", "sgd_decay_after_momentum", "the decay does not go through the momentum", DECAY,
           (GRADIENT, "g = p.grad.clone()"), (SGD_STEP, SGD_STEP + "\n            p -= self.lr * self.weight_decay * p")),
    mutant("sgd", "sgd_nesterov_always", "nesterov=False has no effect", MOMENTUM, (" if self.nesterov else buffer", "")),
    mutant("sgd", "sgd_rate_kept_apart", "step() uses the lr of the start, .lr has no effect", RATES,
           (BUFFERS, BUFFERS + "\n        self.rate = lr"), (SGD_STEP, SGD_STEP.replace("self.lr", "self.rate"))),
    mutant("sgd", "sgd_float32_buffers", "buffers in the default dtype", (MOMENTUM, NESTEROV, DECAY),
           ("torch.zeros_like(p)", "torch.zeros(p.shape)")),
    mutant("sgd", "sgd_none_decays", "a parameter without a gradient decays", NONE,
           (SKIPPED, ""), (GRADIENT, "g = (0 * p if p.grad is None else p.grad) + self.weight_decay * p")),
    mutant("sgd", "sgd_none_raises", "p.grad None is not thought of", NONE, (SKIPPED, "")),
    mutant("Adagrad", "adagrad_eps_in_sqrt", "root of (v + eps)", ADAGRAD,
           (ADAGRAD_STEP, "p -= self.lr * g / (v + self.eps).sqrt()")),
    mutant("Adagrad", "adagrad_norm", "one v for the whole tensor", ADAGRAD, ("v += g**2", "v += (g**2).sum()")),
    mutant("Adagrad", "adagrad_mean_of_squares", "the squares are averaged with 0.9, as in RMSprop", ADAGRAD,
           ("v += g**2", "v.mul_(0.9).add_(0.1 * g**2)")),
    mutant("Adagrad", "adagrad_inplace_grad", "weight decay added in place to p.grad", ALONE,
           (GRADIENT, "g = p.grad.add_(self.weight_decay * p)")),
    mutant("Adagrad", "adagrad_wd_not_squared", "the decay goes around the division", ADAPTIVE_DECAY,
           (GRADIENT, "g = p.grad.clone()"), (ADAGRAD_STEP, ADAGRAD_STEP + " + self.lr * self.weight_decay * p")),
    mutant("Adam", "adam_decoupled", "AdamW", ADAPTIVE_DECAY,
           (GRADIENT, "g = p.grad.clone()\n            p *= 1 - self.lr * self.weight_decay")),
    mutant("Adam", "adam_eps_forgotten", "0 / 0 for zero gradient", ZERO, (ADAM_STEP, "p -= self.lr * m_hat / v_hat.sqrt()")),
    mutant("Adam", "adam_betas_fixed", "betas has no effect", STEPS,
           ("beta_1, beta_2 = self.betas", "beta_1, beta_2 = 0.9, 0.999")),
    mutant("Adam", "adam_inplace_grad", "weight decay added in place to p.grad", ALONE,
           (GRADIENT, "g = p.grad.add_(self.weight_decay * p)")),
    mutant("Adam", "adam_library", "torch.optim.Adam under another name", (STEPS, TINY),
           ("class Adam(Optimiser):", "from torch import optim\n\n\nclass Adam(Optimiser):"),
           ("        self.t = 0\n", "        self.t = 0\n"
            "        self.helper = optim.Adam(self.params, lr, betas, eps, weight_decay)\n"),
           ("        self.t += 1\n", "        return self.helper.step()\n        self.t += 1\n")),
    mutant("minimise", "no_zero_grad", "gradients pile up", LOOP, (ZEROED, "")),
    mutant("minimise", "keeps_tensors", "the history holds tensors with their graphs", LOOP, ("value.item()", "value")),
    mutant("minimise", "loss_after_the_step", "the history is one step ahead", LOOP, ("value.item()", "loss().item()")),
    mutant("minimise", "loss_computed_once", "the graph of the first step is used again", LOOP,
           ("    for _ in range(steps):\n", "    value = loss()\n    for _ in range(steps):\n"),
           ("        value = loss()\n", ""), ("value.backward()", "value.backward(retain_graph=True)")),
    mutant("batches", "not_shuffled", "the same order in every epoch", RANDOM, (SPLIT, "torch.arange(n).split(batch_size)")),
    mutant("batches", "seeded_inside", "every epoch is the same", RANDOM,
           ("    return list", "    torch.manual_seed(0)\n    return list")),
    mutant("batches", "batches_shuffled_whole", "neighbours stay together: only the order of the batches is random", RANDOM,
           (f"list({SPLIT})", "[part for i in torch.randperm(-(-n // batch_size)).tolist()\n"
            "            for part in [torch.arange(n).split(batch_size)[i]]]")),
    mutant("batches", "with_replacement", "some examples twice, some never", COVER,
           ("torch.randperm(n)", "torch.randint(n, (n,))")),
    mutant("rate", "warmup_from_zero", "the first epoch has rate 0", RATE, (WARM, "return lr * epoch / warmup")),
    mutant("rate", "warmup_not_taken_off", "the cosine does not begin after the warm-up", RATE, (COSINE, "epoch / epochs")),
    mutant("rate", "cosine_to_the_end", "the last epoch has rate 0", RATE,
           (COSINE, "(epoch - warmup) / (epochs - 1 - warmup)")),
    mutant("train", "rate_set_too_late", "an epoch has the rate of the one before", (EXAMPLES, RATES),
           (SCHEDULED, ""), ("            rates.append(optimiser.lr)\n", "            rates.append(optimiser.lr)\n" + SCHEDULED)),
    mutant("train", "rate_only_noted", "the schedule is noted, not used", RATES,
           (SCHEDULED, ""), ("optimiser.lr)", "schedule(epoch))")),
    mutant("train", "y_not_indexed", "the first labels for every batch", EXAMPLES, (TAKEN, "y[: len(index)]), optimiser")),
    mutant("train", "order_drawn_once", "the batches are drawn before the first epoch, and are used up", EXAMPLES,
           ("    losses, rates = [], []\n", "    losses, rates = [], []\n    order = iter(batches(len(x), batch_size))\n"),
           ("in batches(len(x), batch_size)", "in order")),
    mutant("hinge", "hinge_broadcasts", "(N, 1) * (N,) is (N, N)", HINGE, ("scores.reshape(-1)", "scores")),
    mutant("hinge", "hinge_squared", "squared hinge", HINGE, (".mean()", ".square().mean()")),
    mutant("hinge", "hinge_no_margin", "the perceptron's loss: max(0, -y s)", HINGE, ("(1 - y *", "(-y *")),
    mutant("hinge", "hinge_detached", "no gradient", HINGE, ("y * scores.reshape(-1)", "y * scores.detach().reshape(-1)")),
    mutant("svm", "svm_bias_regularised", "b is regularised too", (SVM, SVM_BATCHES), ("* w @ w", "* (w @ w + b**2)")),
    mutant("svm", "svm_random_start", "w starts at random", (SVM, SVM_BATCHES),
           ("torch.zeros(x.shape[1], dtype", "0.1 * torch.randn(x.shape[1], dtype"),
           ("optimiser = SGD([w, b], lr)", "w = w.detach().requires_grad_()\n    optimiser = SGD([w, b], lr)")),
    mutant("svm", "svm_bias_not_trained", "the optimiser is not given b", (SVM, SVM_BATCHES),
           ("SGD([w, b], lr)", "SGD([w], lr)")),
    mutant("svm", "svm_returns_graph", "w and b still require a gradient", (SVM, SVM_BATCHES),
           ("return w.detach(), b.detach()", "return w, b")),
    mutant("svm", "svm_whole_batches", "batch_size has no effect", SVM_BATCHES,
           ("batches(len(x), batch_size)", "batches(len(x), len(x))")),
    mutant("quadratic", "quadratic_other_way", "turned by minus alpha", VALLEY,
           ("c * x[0] + s * x[1], -s * x[0] + c * x[1]", "c * x[0] - s * x[1], s * x[0] + c * x[1]")),
    mutant("quadratic", "quadratic_degrees", "alpha in degrees", VALLEY,
           ("math.cos(alpha), math.sin(alpha)", "math.cos(math.radians(alpha)), math.sin(math.radians(alpha))")),
    mutant("quadratic", "quadratic_axes_swapped", "u is the steep one", VALLEY,
           ("(u**2 + kappa * v**2)", "(kappa * u**2 + v**2)")),
    mutant("steps", "steps_one_more", "counted from 1", COUNT, ("return step\n", "return step + 1\n")),
    mutant("steps", "steps_checked_after", "the start is not looked at", COUNT,
           ("        if value.item() <= tolerance:\n            return step\n", ""),
           (STEPPED, STEPPED + "        if value.item() <= tolerance:\n            return step + 1\n")),
    mutant("steps", "steps_start_changed", "the start itself walks", COUNT,
           ("start.detach().clone().requires_grad_()", "start.detach().requires_grad_()")),
    mutant("steps", "steps_limit_none", "nothing is returned when it gives up", COUNT, ("    return limit\n", "")),
    mutant("steps", "steps_for_ever", "the limit has no effect", COUNT,
           ("for step in range(limit):", "for step in range(10**6):")),
)  # fmt: skip
