"""Wrong answers to lab 5, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab5_cnn" / "lab5_cnn.ipynb"
CELLS = {
    cell: solution(NOTEBOOK, cell)
    for cell in ("convolution", "prepare", "digit-cnn", "torchbearer", "batchnorm", "position", "regression", "line-net")
}
SIZE, CONV, MOVES, CONV_GRADIENT = (
    "test_output_size", "test_convolve", "test_convolve_moves_with_its_input", "test_convolve_gradients",
)  # fmt: skip
PREPARED, SHIFTED, LEFT = "test_preprocess", "test_augment_while_training", "test_augment_at_test_time"
DIGITS, ALONE = "test_digit_cnn", "test_digit_cnn_takes_each_picture_by_itself"
STEPS, COVER = "test_fit_takes_the_steps_of_adam", "test_fit_goes_through_everything"
NORM, RUNNING = "test_batch_norm_in_training", "test_batch_norm_after_training"
POOL, COORDINATES, LOSS, ERRORS = (
    "test_global_max_pool", "test_add_coordinates", "test_regression_loss", "test_rms_errors",
)  # fmt: skip
LINES, PLACE, DEVICE = "test_line_net", "test_line_net_and_moved_pictures", "test_functions_follow_their_inputs"

TERM = 'y = y + torch.einsum("ncij,oc->noij", seen, weight[:, :, u, v])'
KERNEL = "weight[:, :, u, v]"
FRAME = "x = F.pad(x, [padding] * 4)"
CONV_RESULT = "return y if bias is None else y + bias[:, None, None]"
SCALED = "return pictures.unsqueeze(1).float() / 255"
STARTS = "starts = torch.randint(2 * max_shift + 1, (n, 2)).tolist()"
CROPS = "return torch.stack([one[:, i : i + h, j : j + w] for one, (i, j) in zip(framed, starts)])"
DIGIT_RESULT = "return self.head(self.features(x).flatten(1))"
SECOND = "nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)"
HISTORY = 'return [epoch["loss"] for epoch in trial.run(epochs=epochs, verbose=0)]'
OPTIMISER = "optimiser = torch.optim.Adam(model.parameters(), lr=lr)"
LOADER = "batch_size=batch_size, shuffle=True)"
MEAN, VAR = "mean = x.mean(dim=(0, 2, 3))", "var = x.var(dim=(0, 2, 3), unbiased=False)"
SCALE = "scale = self.weight / (var + self.eps).sqrt()"
MEAN_BUFFER = 'self.register_buffer("running_mean", torch.zeros(n_channels))'
VAR_BUFFER = 'self.register_buffer("running_var", torch.ones(n_channels))'
MAXIMUM = "return x.amax(dim=(2, 3))"
ROWS = "torch.linspace(0, 1, h, dtype=x.dtype, device=x.device)"
COLUMNS = "torch.linspace(0, 1, w, dtype=x.dtype, device=x.device)"
BOTH = "torch.cat([x, rows, columns], dim=1)"
SQUARED = "return (prediction - target.reshape(prediction.shape)).square().mean()"
ROOT = "return (predictions - targets).square().mean(dim=0).sqrt()"
ASKED = "predictions = torch.cat([model(batch) for batch in inputs.split(batch_size)])"
BRIDGE = 'x = F.max_pool2d(x, 2).flatten(1) if self.kind == "plain" else global_max_pool(x)'
WIDTH = '16 * (dim // 4) ** 2 if kind == "plain" else 16'
OWN_LOOP = """{optimiser}
    model.train()
    losses = []
    for _ in range(epochs):
        total, batches = 0.0, torch.randperm(len(inputs)).split(batch_size)
        for batch in batches:
            {before}
            loss = criterion(model(inputs[batch]), targets[batch])
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / len(batches))
    return losses
"""


def mutant(cell, name, bug, killed_by, *changes):
    killers = (killed_by,) if isinstance(killed_by, str) else killed_by
    return Mutant(name, bug, cell, edited(CELLS[cell], *changes), killers)


def loop(name, bug, killed_by, old, new):
    """A mutant of a training loop by hand."""
    start = CELLS["torchbearer"].split("    ### BEGIN")[0]
    body = OWN_LOOP.format(optimiser=OPTIMISER, before="optimiser.zero_grad()")
    return Mutant(name, bug, "torchbearer", f"{start}    {edited(body, (old, new))}", (killed_by,))


CONVOLUTIONS = (
    mutant("convolution", "conv_flipped", "the kernel flipped: a true convolution", CONV,
           (KERNEL, "weight.flip(2, 3)[:, :, u, v]")),
    mutant("convolution", "conv_no_padding", "padding ignored", CONV,
           (FRAME, ""), ("weight.shape[2], stride, padding)", "weight.shape[2], stride)"),
           ("weight.shape[3], stride, padding)", "weight.shape[3], stride)")),
    mutant("convolution", "conv_wrong_stride", "stride ignored", CONV,
           ("weight.shape[2], stride, padding)", "weight.shape[2], 1, padding)"),
           ("weight.shape[3], stride, padding)", "weight.shape[3], 1, padding)"),
           ("u + stride * rows : stride, v : v + stride * columns : stride]", "u + rows, v : v + columns]")),
    mutant("convolution", "conv_pad_one_side", "all padding on the left and on top", CONV,
           (FRAME, "x = F.pad(x, [2 * padding, 0, 2 * padding, 0])")),
    mutant("convolution", "conv_no_bias", "the bias dropped", (CONV, CONV_GRADIENT), (CONV_RESULT, "return y")),
    mutant("convolution", "conv_weights_unshared", "weights depend on the place", MOVES,
           (TERM, TERM + " * torch.linspace(1, 2, columns, dtype=x.dtype)")),
    mutant("convolution", "size_rounded_up", "the kernel may stick out", SIZE,
           ("return (length + 2 * padding - kernel_size) // stride + 1",
            "return -(-(length + 2 * padding - kernel_size) // stride) + 1")),
    mutant("convolution", "size_padding_once", "padding counted at one end only", SIZE, ("+ 2 * padding", "+ padding")),
    mutant("convolution", "conv_square_kernels", "kernels taken for square", CONV,
           ("range(weight.shape[3])", "range(weight.shape[2])"),
           ("columns = output_size(x.shape[3], weight.shape[3]", "columns = output_size(x.shape[3], weight.shape[2]")),
    mutant("convolution", "conv_float32", "the result in float32", CONV, ("y = 0\n", "y = torch.zeros(()).float()\n"),
           (CONV_RESULT, "return (y if bias is None else y + bias[:, None, None]).float()")),
    mutant("convolution", "conv_data", "written into a tensor by .data: no gradient for the kernels", CONV_GRADIENT,
           (KERNEL, "weight.data[:, :, u, v]")),
    mutant("convolution", "conv_not_from_scratch", "the library's", CONV,
           (FRAME, "return F.conv2d(x, weight, bias, stride, padding)")),
)  # fmt: skip

PICTURES = (
    mutant("prepare", "double_normalise", "/255 twice", PREPARED, ("/ 255", "/ 255 / 255")),
    mutant("prepare", "augment_test", "augmentation at test time too", LEFT, ("if not training:", "if max_shift == 0:")),
    mutant("prepare", "prep_batch_maximum", "divided by the largest pixel of the batch", PREPARED,
           ("/ 255", "/ pictures.max().clamp(min=1)")),
    mutant("prepare", "prep_channel_last", "the channel at the end", PREPARED, ("unsqueeze(1)", "unsqueeze(-1)")),
    mutant("prepare", "prep_256", "256 for 255", PREPARED, ("/ 255", "/ 256")),
    mutant("prepare", "prep_float64", "float64, as NumPy would have it", PREPARED, (".float()", ".double()")),
    mutant("prepare", "augment_wraps", "what leaves on one side comes back on the other", SHIFTED,
           (CROPS, "return torch.stack([one.roll((max_shift - i, max_shift - j), (1, 2)) for one, (i, j) in zip(x, starts)])")),
    mutant("prepare", "augment_one_for_all", "one shift for the whole batch", SHIFTED,
           (STARTS, STARTS.replace("(n, 2)", "(1, 2)") + " * n")),
    mutant("prepare", "augment_end_excluded", "randint without its upper end", SHIFTED,
           ("2 * max_shift + 1, (n", "2 * max_shift, (n")),
    mutant("prepare", "augment_diagonal", "rows and columns moved alike", SHIFTED,
           ("for one, (i, j)", "for one, (i, i)"), ("j : j + w", "i : i + w")),
)  # fmt: skip

DIGIT_NETS = (
    mutant("digit-cnn", "hwc_order", "flatten in the order row, column, channel", DIGITS,
           ("self.features(x).flatten(1)", "self.features(x).permute(0, 2, 3, 1).flatten(1)")),
    mutant("digit-cnn", "missing_pool", "the second pooling left out, every other pixel kept", DIGITS,
           (SECOND + "\n", "nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()\n"),
           ("self.features(x).flatten", "self.features(x)[..., ::2, ::2].flatten")),
    mutant("digit-cnn", "avg_not_max", "average for max pooling", DIGITS, (SECOND, SECOND.replace("Max", "Avg"))),
    mutant("digit-cnn", "flatten_batch", "flatten mixes batch and channel", (DIGITS, ALONE),
           ("self.features(x).flatten(1)", "self.features(x).transpose(0, 1).reshape(-1, 64)")),
    mutant("digit-cnn", "no_relu2", "the second ReLU missing", DIGITS, (SECOND, SECOND.replace("nn.ReLU(), ", ""))),
    mutant("digit-cnn", "relu_after_pool_only_first", "the mean over the batch subtracted", (DIGITS, ALONE),
           (DIGIT_RESULT, "x = self.features(x).flatten(1)\n        return self.head(x - x.mean(dim=0))")),
    mutant("digit-cnn", "groups_depthwise", "groups = channels by mistake", DIGITS,
           (SECOND, SECOND.replace("padding=1", "padding=1, groups=8"))),
    mutant("digit-cnn", "digit_softmax", "softmax in the network", DIGITS, (DIGIT_RESULT, DIGIT_RESULT + ".softmax(dim=1)")),
    mutant("digit-cnn", "digit_ten_classes", "always ten classes", DIGITS, ("nn.Linear(64, n_classes)", "nn.Linear(64, 10)")),
    mutant("digit-cnn", "digit_squeezed", "squeeze() drops the batch of one picture", (DIGITS, ALONE),
           (DIGIT_RESULT, DIGIT_RESULT + ".squeeze()")),
    mutant("digit-cnn", "digit_pads_with_the_edge", "reflected edges for zeros", DIGITS,
           (SECOND, SECOND.replace("padding=1", "padding=1, padding_mode='reflect'"))),
)  # fmt: skip

TRAINING = (
    mutant("torchbearer", "fit_sgd", "plain gradient descent", STEPS, ("torch.optim.Adam", "torch.optim.SGD")),
    mutant("torchbearer", "fit_lr_default", "lr not handed on", STEPS, ("model.parameters(), lr=lr", "model.parameters()")),
    mutant("torchbearer", "fit_weight_decay", "AdamW for Adam", STEPS, ("torch.optim.Adam(", "torch.optim.AdamW(")),
    mutant("torchbearer", "fit_a_copy", "a copy is trained, the model is not", STEPS,
           (OPTIMISER, "import copy\n    model = copy.deepcopy(model)\n    " + OPTIMISER)),
    mutant("torchbearer", "fit_no_optimiser", "a Trial without its optimiser", STEPS,
           ("Trial(model, optimiser, criterion", "Trial(model, None, criterion")),
    mutant("torchbearer", "fit_running_loss", "the dictionaries, not their losses", STEPS,
           ('epoch["loss"] for epoch in trial', "epoch for epoch in trial")),
    mutant("torchbearer", "fit_global_epochs", "the notebook's EPOCHS", STEPS, ("run(epochs=epochs", "run(epochs=EPOCHS")),
    mutant("torchbearer", "fit_drop_last", "the last small batch dropped", COVER, (LOADER, LOADER[:-1] + ", drop_last=True)")),
    mutant("torchbearer", "fit_not_shuffled", "never shuffled", COVER, ("shuffle=True", "shuffle=False")),
    mutant("torchbearer", "fit_seeded", "seeded inside: the same order for every seed of the exercise", COVER,
           (OPTIMISER, "torch.manual_seed(0)\n    " + OPTIMISER)),
    mutant("torchbearer", "fit_batch_of_32", "batch_size not handed on", COVER, (LOADER, "batch_size=32, shuffle=True)")),
    mutant("torchbearer", "fit_with_replacement", "drawn with replacement: some items twice, some never", COVER,
           (LOADER, "batch_size=batch_size, sampler=torch.utils.data.RandomSampler(inputs, replacement=True))")),
    mutant("torchbearer", "fit_global_device", "sent to the notebook's device", DEVICE, (".to(inputs.device)", ".to(device)")),
    loop("fit_grads_pile_up", "no zero_grad", STEPS, "            optimiser.zero_grad()\n", ""),
    loop("fit_eval_mode", "train() forgotten", COVER, "    model.train()\n", ""),
    loop("fit_optimiser_each_epoch", "a new optimiser in each epoch: its state is lost", STEPS, "        total, batches",
         "        optimiser = torch.optim.Adam(model.parameters(), lr=lr)\n        total, batches"),
)  # fmt: skip

NORMS = (
    mutant("batchnorm", "bn_always_train", "batch statistics in eval mode", RUNNING, ("if self.training:", "if True:")),
    mutant("batchnorm", "bn_biased_running_var", "the running variance without n / (n - 1)", RUNNING,
           ("var * n / (n - 1)", "var")),
    mutant("batchnorm", "bn_momentum_swapped", "momentum for the old estimate", RUNNING,
           ("lerp_(mean, self.momentum)", "lerp_(mean, 1 - self.momentum)"),
           ("(n - 1), self.momentum)", "(n - 1), 1 - self.momentum)")),
    mutant("batchnorm", "bn_eps_missing", "no eps: equal pixels give NaN", NORM, ("(var + self.eps)", "var")),
    mutant("batchnorm", "bn_batch_stat_over_N_only", "statistics for each pixel", NORM,
           (MEAN, "mean = x.mean(dim=0)"), (VAR, "var = x.var(dim=0, unbiased=False)"),
           ("lerp_(mean,", "lerp_(mean.mean(dim=(1, 2)),"),
           ("lerp_(var * n / (n - 1)", "lerp_(var.mean(dim=(1, 2)) * n / (n - 1)"),
           (SCALE, "if var.dim() == 1:\n            mean, var = mean[:, None, None], var[:, None, None]\n"
            "        scale = self.weight[:, None, None] / (var + self.eps).sqrt()"),
           ("(x - mean[:, None, None]) * scale[:, None, None]", "(x - mean) * scale")),
    mutant("batchnorm", "bn_eps_outside", "eps added to the standard deviation", NORM,
           ("(var + self.eps).sqrt()", "(var.sqrt() + self.eps)")),
    mutant("batchnorm", "bn_no_gamma", "gamma forgotten", NORM, ("self.weight / (var", "1 / (var")),
    mutant("batchnorm", "bn_detached", "statistics detached: the wrong gradient", NORM,
           (MEAN, MEAN.replace(")", ")", 1) + ".detach()"), (VAR, VAR + ".detach()")),
    mutant("batchnorm", "bn_default_settings", "eps and momentum always the defaults", (NORM, RUNNING),
           ("eps, momentum\n", "1e-5, 0.1\n")),
    mutant("batchnorm", "bn_plain_attributes", "running estimates are no buffers", RUNNING,
           (MEAN_BUFFER, "self.running_mean = torch.zeros(n_channels).double()"),
           (VAR_BUFFER, "self.running_var = torch.ones(n_channels).double()")),
    mutant("batchnorm", "bn_learned_estimates", "running estimates are parameters", NORM,
           (MEAN_BUFFER, "self.running_mean = nn.Parameter(torch.zeros(n_channels))"),
           (VAR_BUFFER, "self.running_var = nn.Parameter(torch.ones(n_channels))")),
    mutant("batchnorm", "bn_keeps_graph", "the graph of every batch is kept", RUNNING,
           ("with torch.no_grad():", "if True:"),
           ("self.running_mean.lerp_(mean, self.momentum)",
            "self.running_mean = self.running_mean.lerp(mean + 0 * self.bias, self.momentum)")),
    mutant("batchnorm", "bn_mode_of_birth", "the mode asked when the layer is made", RUNNING,
           ("self.eps, self.momentum", "self.mode = self.training\n        self.eps, self.momentum"),
           ("if self.training:", "if self.mode:")),
)  # fmt: skip

POSITIONS = (
    mutant("position", "gap_not_gmp", "global average pooling", POOL, (MAXIMUM, "return x.mean(dim=(2, 3))")),
    mutant("position", "gmp_keeps_axes", "(N, C, 1, 1)", POOL, (MAXIMUM, "return F.adaptive_max_pool2d(x, 1)")),
    mutant("position", "gmp_squeezed", "squeeze() drops a batch or channel of one", POOL,
           (MAXIMUM, "return F.adaptive_max_pool2d(x, 1).squeeze()")),
    mutant("position", "gmp_from_zero", "a maximum that begins at 0", POOL, (MAXIMUM, MAXIMUM + ".clamp(min=0)")),
    mutant("position", "coord_xy_swapped", "column before row", COORDINATES, (BOTH, "torch.cat([x, columns, rows], dim=1)")),
    mutant("position", "coord_unscaled", "pixels, not 0 to 1", COORDINATES,
           ("linspace(0, 1, h", "linspace(0, h - 1, h"), ("linspace(0, 1, w", "linspace(0, w - 1, w")),
    mutant("position", "coord_centred", "-1 to 1, as in the paper", COORDINATES,
           ("linspace(0, 1, h", "linspace(-1, 1, h"), ("linspace(0, 1, w", "linspace(-1, 1, w")),
    mutant("position", "coord_over_length", "i / H for i / (H - 1)", COORDINATES,
           (ROWS, "(torch.arange(h, dtype=x.dtype, device=x.device) / h)"),
           (COLUMNS, "(torch.arange(w, dtype=x.dtype, device=x.device) / w)")),
    mutant("position", "coord_in_front", "coordinates before the picture", COORDINATES,
           (BOTH, "torch.cat([rows, columns, x], dim=1)")),
    mutant("position", "coord_float64", "float64 for float32 pictures", COORDINATES,
           (ROWS, ROWS.replace("x.dtype", "torch.float64"))),
    mutant("position", "coord_global_device", "made on the notebook's device", DEVICE, (ROWS, ROWS.replace("x.device", "device")),
           (COLUMNS, COLUMNS.replace("x.device", "device"))),
)  # fmt: skip

JUDGEMENTS = (
    mutant("regression", "mse_broadcast", "(N, 1) - (N,) broadcast to (N, N)", LOSS,
           ("target.reshape(prediction.shape)", "target")),
    mutant("regression", "mse_sum", "the sum", LOSS, (".square().mean()", ".square().sum()")),
    mutant("regression", "mse_item", "a bare number: nothing learns", LOSS, (SQUARED, SQUARED + ".item()")),
    mutant("regression", "rms_train_mode", "no eval()", ERRORS, ("    model.eval()\n", "")),
    mutant("regression", "rms_mode_left", "eval mode left behind", ERRORS, ("    model.train(before)\n", "")),
    mutant("regression", "rms_always_train", "train mode left behind, whatever it was", ERRORS,
           ("model.train(before)", "model.train()")),
    mutant("regression", "rms_keeps_graph", "no torch.no_grad()", ERRORS, ("with torch.no_grad():", "if True:")),
    mutant("regression", "rms_mean_of_batches", "the mean of the batches' errors", ERRORS, (ROOT,
           "parts = zip(predictions.split(batch_size), targets.split(batch_size))\n"
           "    return torch.stack([(p - t).square().mean(dim=0).sqrt() for p, t in parts]).mean(dim=0)")),
    mutant("regression", "rms_whole_batches", "the last small batch left out", ERRORS,
           (ASKED, "keep = max(len(inputs) // batch_size, 1) * batch_size\n"
            "        predictions, targets = torch.cat([model(one) for one in inputs[:keep].split(batch_size)]), targets[:keep]")),
    mutant("regression", "rms_global_net", "the notebook's `net` is judged", ERRORS, ("model(batch) for", "net(batch) for")),
    mutant("regression", "rms_about_the_mean", "the standard deviation of the error: a bias is not seen", ERRORS,
           (ROOT, "return (predictions - targets).std(dim=0)")),
)  # fmt: skip

LINE_NETS = (
    mutant("line-net", "line_no_coordinates", "coordinates prepared for, but three times the picture", (LINES, PLACE),
           ("x = add_coordinates(x)", "x = x.expand(-1, 3, -1, -1)")),
    mutant("line-net", "line_always_coordinates", "coordinates for gmp too", LINES,
           ('3 if kind == "coords"', '3 if kind != "plain"'),
           ('if self.kind == "coords":', 'if self.kind != "plain":')),
    mutant("line-net", "line_dim_24", "written for pictures of 24 rows", LINES, (WIDTH, '576 if kind == "plain" else 16')),
    mutant("line-net", "line_no_hidden_relu", "no ReLU in front of the output", LINES,
           ("self.hidden(x).relu()", "self.hidden(x)")),
    mutant("line-net", "line_relu_out", "a ReLU on the output: no negative slopes", LINES,
           ("return self.out(self.hidden(x).relu())", "return self.out(self.hidden(x).relu()).relu()")),
    mutant("line-net", "line_pool_before_coordinates", "coordinates of a picture that is flipped", LINES,
           ("x = add_coordinates(x)", "x = add_coordinates(x.transpose(2, 3))")),
    mutant("line-net", "line_all_plain", "kind ignored: always the plain bridge", (LINES, PLACE),
           (WIDTH, "16 * (dim // 4) ** 2"), (BRIDGE, "x = F.max_pool2d(x, 2).flatten(1)")),
)  # fmt: skip

MUTANTS = (*CONVOLUTIONS, *PICTURES, *DIGIT_NETS, *TRAINING, *NORMS, *POSITIONS, *JUDGEMENTS, *LINE_NETS)
