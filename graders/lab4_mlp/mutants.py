"""Wrong answers to lab 4, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab4_mlp" / "lab4_mlp.ipynb"
CELLS = {
    cell: solution(NOTEBOOK, cell)
    for cell in ("dropout", "mlp", "loss", "train", "accuracy", "per-class", "trial", "corrupt", "experiment")
}
DROPS, DROP_GRADIENT, LOSS = "test_dropout", "test_dropout_gradient", "test_cross_entropy"
SHAPES, COMPUTES, NET_DROPS, ALIVE = "test_mlp_parameters", "test_mlp_computes", "test_mlp_dropout", "test_mlp_starts_alive"
STEPS, HISTORY, SPIRALS = "test_train_takes_the_steps", "test_train_history", "test_trained_on_spirals"
COUNTS, TRACE, CONFUSION, RECALL = "test_accuracy", "test_accuracy_leaves_no_trace", "test_confusion", "test_recall"
TRIAL, CORRUPT, ALONE, MEASURES = (
    "test_fit_trial", "test_corrupt", "test_width_experiment_numbers_stand_alone", "test_width_experiment_measures",
)  # fmt: skip

KEEP, SCALED = "keep = torch.rand(x.shape, device=x.device) >= p", "return x * keep / (1 - p)"
MODULES = "self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes[:-1], sizes[1:]))"
BEND, DROP, LOGITS = "F.relu(layer(x))", "x = dropout(x, self.p, self.training)", "return self.layers[-1](x)"
OPTIMISER = "optimiser = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)"
CLEARED, LOSS_OF_BATCH, STEP = "            optimiser.zero_grad()\n", "loss = criterion(model(x), target)", "optimiser.step()"
SUMMED = "total += loss.item() * len(x)"
PREDICTED, RIGHT = "model(x.to(device)).argmax(dim=1)", "(predicted == target.to(device)).sum().item()"
SHIFTED = "(target[chosen] + shift) % classes"


def mutant(cell, name, bug, killed_by, *changes):
    killed = killed_by if isinstance(killed_by, tuple) else (killed_by,)
    return Mutant(name, bug, cell, edited(CELLS[cell], *changes), killed)


MUTANTS = (
    # The catalogue's, L4-01 to L4-22.
    mutant("mlp", "no_nonlinearity", "hidden ReLU missing", (COMPUTES, SPIRALS), (BEND, "layer(x)")),
    mutant("train", "double_softmax", "softmax before CrossEntropyLoss", STEPS,
           (LOSS_OF_BATCH, "loss = criterion(model(x).softmax(dim=1), target)")),
    mutant("train", "no_zero_grad", "gradients accumulate", STEPS, (CLEARED, "")),
    mutant("accuracy", "acc_div_full_batches", "denominator = batches x batch size", COUNTS,
           ("return right / examples", "return right / (len(loader) * loader.batch_size)")),
    mutant("accuracy", "argmax_dim0", "arg-max over the batch", COUNTS,
           (PREDICTED, "model(x.to(device)).argmax(dim=0)"), (RIGHT, "(predicted[0] == target.to(device)).sum().item()")),
    mutant("accuracy", "no_eval_mode", "eval() forgotten (dropout active)", TRACE, ("    model.eval()\n", "")),
    mutant("dropout", "dropout_p_inverted", "keep-probability used as drop-probability", (DROPS, NET_DROPS),
           (KEEP, "keep = torch.rand(x.shape, device=x.device) < p"), (SCALED, "return x * keep / p")),
    mutant("accuracy", "eval_on_train", "accuracy computed on the training loader", COUNTS,
           ("for x, target in loader:", "for x, target in train_loader:")),
    mutant("train", "opt_only_last_layer", "optimiser given only the last layer", (STEPS, ALIVE),
           ("torch.optim.SGD(model.parameters(),", "torch.optim.SGD(list(model.parameters())[-2:],")),
    mutant("mlp", "python_list_layers", "layers in a plain list, not registered", (SHAPES, COMPUTES, NET_DROPS, ALIVE),
           ("nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes[:-1], sizes[1:]))",
            "[nn.Linear(n_in, n_out) for n_in, n_out in zip(sizes[:-1], sizes[1:])]")),
    mutant("mlp", "layer_recreated_in_forward", "layer constructed inside forward", (COMPUTES, NET_DROPS, ALIVE),
           ("        for layer in self.layers[:-1]:",
            "        for layer in self.layers[:-1]:\n"
            "            layer = nn.Linear(layer.in_features, layer.out_features, dtype=x.dtype, device=x.device)")),
    mutant("train", "losses_keep_graph", "loss tensors stored with graph (memory leak)", HISTORY,
           (SUMMED, "total = total + loss * len(x)")),
    mutant("mlp", "zero_init", "all parameters zero (symmetry)", ALIVE,
           (MODULES, MODULES + "\n        for value in self.parameters():\n            nn.init.zeros_(value)")),
    mutant("mlp", "relu_on_logits", "ReLU on the output", COMPUTES, (LOGITS, "return F.relu(self.layers[-1](x))")),
    mutant("per-class", "recall_vs_precision", "per-class accuracy divided by predicted counts", RECALL,
           ("matrix.sum(dim=1)", "matrix.sum(dim=0)")),
    mutant("mlp", "missing_bias", "bias=False", SHAPES, ("nn.Linear(n_in, n_out) for", "nn.Linear(n_in, n_out, bias=False) for")),
    mutant("train", "backward_only_last_batch", "one update per epoch", STEPS,
           ("            optimiser.zero_grad()\n            loss = criterion(model(x), target)\n"
            "            loss.backward()\n            optimiser.step()\n",
            "            loss = criterion(model(x), target)\n"),
           ("        history.append(",
            "        optimiser.zero_grad()\n        loss.backward()\n        optimiser.step()\n        history.append(")),
    Mutant("counts_minlength", "absent classes drop out of bincount", "confusion", """
def confusion(predicted, target, classes):
    rows = [torch.bincount(predicted[target == i], minlength=int(predicted.max()) + 1) for i in range(int(target.max()) + 1)]
    return torch.stack(rows)
""", (CONFUSION,)),
    mutant("accuracy", "eval_no_no_grad", "evaluation builds graphs", TRACE, ("with torch.no_grad():", "if True:")),
    mutant("train", "label_noise_shuffle", "labels shuffled relative to inputs", STEPS,
           (LOSS_OF_BATCH, "loss = criterion(model(x), target[torch.randperm(len(target))])")),
    mutant("accuracy", "eval_leaves_eval_mode", "train mode not restored after evaluation", TRACE,
           ("    model.train(was_training)\n", "")),
    mutant("loss", "nll_on_logits", "NLLLoss on raw logits", LOSS,
           ("return (torch.logsumexp(logits, dim=1) - right).mean()", "return nn.NLLLoss()(logits, target)")),
    # Ours: seen from students.
    mutant("mlp", "softmax_in_forward", "the network returns probabilities", COMPUTES,
           (LOGITS, "return self.layers[-1](x).softmax(dim=1)")),
    mutant("dropout", "dropout_not_scaled", "what remains is not scaled up", DROPS, (SCALED, "return x * keep")),
    mutant("dropout", "dropout_scaled_at_test_time", "the scale is applied after training instead", DROPS,
           ("    if not training or p == 0:\n        return x", "    if not training:\n        return x * (1 - p)"),
           (SCALED, "return x * keep")),
    mutant("dropout", "dropout_one_mask_for_the_batch", "all examples lose the same units", DROPS,
           (KEEP, "keep = torch.rand(x.shape[-1], device=x.device) >= p")),
    mutant("dropout", "dropout_p_one_nan", "0 / 0 for p = 1", DROPS,
           ("    if p == 1:\n        return torch.zeros_like(x)\n", "")),
    mutant("dropout", "dropout_in_place", "the input is changed", DROP_GRADIENT,
           (SCALED, "x *= keep\n    return x / (1 - p)")),
    mutant("dropout", "dropout_cuts_the_graph", ".data: no gradient passes", DROP_GRADIENT,
           (SCALED, "return x.data * keep / (1 - p)")),
    mutant("dropout", "dropout_float32", "the mask's type decides that of the result", DROPS,
           (SCALED, "return x.float() * keep / (1 - p)")),
    mutant("mlp", "dropout_never_stops", "F.dropout without training=self.training", (COMPUTES, NET_DROPS),
           (DROP, "x = F.dropout(x, self.p)")),
    mutant("mlp", "dropout_forgotten", "p is stored and not used", NET_DROPS, (f"            {DROP}\n", "")),
    mutant("mlp", "dropout_on_the_logits", "the last layer is dropped too", NET_DROPS,
           (LOGITS, "return dropout(self.layers[-1](x), self.p, self.training)")),
    mutant("mlp", "dropout_on_the_inputs", "pixels are dropped too", NET_DROPS,
           ("        for layer in self.layers[:-1]:",
            "        x = dropout(x, self.p, self.training)\n        for layer in self.layers[:-1]:")),
    mutant("mlp", "sizes_of_the_example", "the worked example's sizes written in", (SHAPES, COMPUTES),
           ("zip(sizes[:-1], sizes[1:])", "[(64, 32), (32, 10)]")),
    mutant("mlp", "one_hidden_layer_only", "further widths are ignored", (SHAPES, COMPUTES),
           ("zip(sizes[:-1], sizes[1:])", "[(sizes[0], sizes[1]), (sizes[1], sizes[-1])]")),
    mutant("mlp", "seed_in_the_network", "every network starts alike", ALIVE,
           (MODULES, f"torch.manual_seed(0)\n        {MODULES}")),
    mutant("loss", "log_of_softmax", "log(softmax) underflows", LOSS,
           ("(torch.logsumexp(logits, dim=1) - right).mean()",
            "-logits.softmax(dim=1).log().gather(1, target[:, None]).mean()")),
    mutant("loss", "log_of_softmax_plus_epsilon", "a small number hides the underflow", LOSS,
           ("(torch.logsumexp(logits, dim=1) - right).mean()",
            "-(logits.softmax(dim=1) + 1e-8).log().gather(1, target[:, None]).mean()")),
    mutant("loss", "loss_summed", "sum over the examples", LOSS, ("- right).mean()", "- right).sum()")),
    mutant("loss", "softmax_over_the_batch", "normalised over the examples", LOSS,
           ("(torch.logsumexp(logits, dim=1) - right).mean()", "(torch.logsumexp(logits, dim=0).mean() - right.mean())")),
    mutant("train", "no_momentum", "plain SGD", STEPS, ("lr=lr, momentum=0.9", "lr=lr")),
    mutant("train", "train_mode_forgotten", "model.train() is missing", STEPS, ("    model.train()\n", "")),
    mutant("train", "optimiser_new_each_epoch", "momentum is lost between the epochs", STEPS,
           (f"    {OPTIMISER}\n", ""), ("    for _ in range(epochs):\n", f"    for _ in range(epochs):\n        {OPTIMISER}\n")),
    mutant("train", "trains_the_global_net", "the notebook's `net` is trained, whatever is given", STEPS,
           ("    history = []\n", "    history = []\n    model = net\n")),
    mutant("train", "return_after_one_epoch", "return stands inside the loop", (STEPS, HISTORY),
           ("    return history\n", "        return history\n")),
    mutant("train", "mean_of_the_means", "a small last batch counts as much", HISTORY,
           (SUMMED, "total += loss.item()"), ("total / examples", "total / len(loader)")),
    mutant("train", "loss_of_the_last_batch", "the history shows one batch an epoch", HISTORY,
           ("history.append(total / examples)", "history.append(loss.item())")),
    mutant("train", "total_never_reset", "the history adds up over the epochs", HISTORY,
           ("        total, examples = 0.0, 0\n", ""),
           ("    history = []\n", "    history = []\n    total, examples = 0.0, 0\n")),
    mutant("train", "step_before_backward", "steps with the gradients of the batch before", STEPS,
           (CLEARED, ""), (f"            loss.backward()\n            {STEP}\n",
            f"            {STEP}\n            optimiser.zero_grad()\n            loss.backward()\n")),
    mutant("accuracy", "accuracy_in_percent", "75 for 0.75", COUNTS, ("right / examples", "100 * right / examples")),
    mutant("accuracy", "accuracy_mean_of_batches", "mean of the batches' accuracies", COUNTS,
           (f"right += {RIGHT}", f"right += {RIGHT} / len(target)"), ("right / examples", "right / len(loader)")),
    mutant("accuracy", "train_mode_always_after", "a model found in eval mode is left in train mode", TRACE,
           ("model.train(was_training)", "model.train()")),
    mutant("per-class", "confusion_transposed", "rows are the predicted classes", CONFUSION,
           ("target * classes + predicted", "predicted * classes + target")),
    mutant("per-class", "recall_zero_for_none", "0 for a class without examples", RECALL,
           ("matrix.diagonal() / matrix.sum(dim=1)", "matrix.diagonal() / matrix.sum(dim=1).clamp_min(1)")),
    mutant("trial", "trial_without_step", "the optimiser belongs to another model", TRIAL,
           ("torch.optim.SGD(model.parameters(),", "torch.optim.SGD(MLP([64, 32, 10]).parameters(),")),
    mutant("trial", "trial_running_loss", "the running mean for the epoch's", TRIAL, ('epoch["loss"]', 'epoch["running_loss"]')),
    mutant("trial", "trial_training_accuracy", "acc, measured while training", TRIAL,
           ('measured["test_acc"]', 'history[-1]["acc"]')),
    mutant("trial", "trial_evaluates_training_data", "the wrong data key", TRIAL,
           ("data_key=torchbearer.TEST_DATA", "data_key=torchbearer.TRAIN_DATA"), ('"test_acc"', '"train_acc"')),
    mutant("trial", "trial_default_data", "evaluate() looks at validation data, of which there are none", TRIAL,
           ("data_key=torchbearer.TEST_DATA, ", "")),
    mutant("trial", "trial_runs_of_one_epoch", "run(1) in a loop: only the first trains", TRIAL,
           ("    history = trial.run(epochs=epochs, verbose=0)\n",
            "    history = [trial.run(epochs=1, verbose=0)[-1] for _ in range(epochs)]\n")),
    mutant("trial", "trial_adam", "another optimiser", TRIAL, ("torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)",
            "torch.optim.Adam(model.parameters(), lr=lr)")),
    mutant("corrupt", "corrupt_in_place", "the labels themselves are spoilt", CORRUPT,
           ("spoilt = target.clone()", "spoilt = target")),
    mutant("corrupt", "corrupt_may_hit_the_right_class", "some wrong labels are right", CORRUPT,
           ("torch.randint(1, classes,", "torch.randint(classes,")),
    mutant("corrupt", "corrupt_with_replacement", "some labels are drawn twice", CORRUPT,
           ("torch.randperm(len(target), device=target.device)[: round(fraction * len(target))]",
            "torch.randint(len(target), (round(fraction * len(target)),), device=target.device)")),
    mutant("corrupt", "corrupt_the_first", "the first labels of the set", CORRUPT,
           ("torch.randperm(len(target),", "torch.arange(len(target),")),
    mutant("corrupt", "corrupt_to_the_next_class", "always the next class", CORRUPT, (SHIFTED, "(target[chosen] + 1) % classes")),
    mutant("corrupt", "corrupt_each_by_chance", "each label with probability q: the number varies", CORRUPT,
           ("torch.randperm(len(target), device=target.device)[: round(fraction * len(target))]",
            "(torch.rand(len(target), device=target.device) < fraction).nonzero()[:, 0]")),
    mutant("corrupt", "corrupt_seeded_inside", "every call spoils the same labels", CORRUPT,
           ("    chosen = ", "    torch.manual_seed(0)\n    chosen = ")),
    mutant("experiment", "seed_set_once", "the second width starts where the first one ended", ALONE,
           ("            torch.manual_seed(seed)\n", ""),
           ("    for i, seed in enumerate(seeds):\n", "    for i, seed in enumerate(seeds):\n        torch.manual_seed(seed)\n")),
    mutant("experiment", "seed_set_after_the_network", "the start depends on what ran before", ALONE,
           ("            torch.manual_seed(seed)\n", ""),
           ("            train(model,", "            torch.manual_seed(seed)\n            train(model,")),
    mutant("experiment", "seed_zero_always", "the same seed in every row", ALONE,
           ("            torch.manual_seed(seed)\n", "            torch.manual_seed(0)\n")),
    mutant("experiment", "one_network_trained_on", "the network of a width goes on from seed to seed", ALONE,
           ("            model = MLP([training.tensors[0].shape[1], width, classes]).to(device)\n", ""),
           ("    for i, seed in enumerate(seeds):\n",
            "    models = [MLP([training.tensors[0].shape[1], width, classes]).to(device) for width in widths]\n"
            "    for i, seed in enumerate(seeds):\n"),
           ("            train(model,", "            model = models[j]\n            train(model,")),
    mutant("experiment", "width_ignored", "always the last width", ALONE,
           ("shape[1], width, classes]", "shape[1], widths[-1], classes]")),
    mutant("experiment", "test_set_first", "training and test accuracy swapped", MEASURES,
           ("enumerate((training, testing))", "enumerate((testing, training))")),
    mutant("experiment", "trained_on_the_test_set", "the test set is trained on", MEASURES,
           ("DataLoader(training, batch_size=50", "DataLoader(testing, batch_size=50")),
    mutant("experiment", "axes_swapped", "widths first, seeds second", (ALONE, MEASURES),
           ("    return result\n", "    return result.transpose(0, 1)\n")),
    mutant("experiment", "global_training_set", "the notebook's training set, whatever is given", (ALONE, MEASURES),
           ("DataLoader(training, batch_size=50, shuffle=True)", "train_loader")),
)  # fmt: skip
