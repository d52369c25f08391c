"""Wrong answers to lab 6, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab6_transfer" / "lab6_transfer.ipynb"
CELLS = {cell: solution(NOTEBOOK, cell) for cell in ("data", "new-head", "features", "training", "fine-tuning")}
INDEX, SPLIT, NORM = "test_class_index", "test_split", "test_normalise"
LOADS, HEAD, FREEZES = "test_build_loads_the_backbone", "test_build_has_a_new_head", "test_build_freezes_the_backbone"
OPTIMISER, ALONE, STEPS = "test_head_optimiser", "test_train_leaves_a_frozen_backbone_alone", "test_train_takes_the_steps"
EXTRACT, SVM, LEAK, GROUPS = "test_extract", "test_svm", "test_svm_never_looks_at_the_test_set", "test_finetune_optimiser"

NAMED = "return {name: number for number, name in enumerate(sorted(set(names)))}"
ORDER = "order = torch.randperm(len(target), generator=torch.Generator().manual_seed(seed)).to(target.device)"
CHOSEN = "chosen = torch.cat([order[target[order] == number][:per_class] for number in target.unique()])"
CLEARED = "    rest[chosen] = False\n"
NORMALISED = 'return (x - checkpoint["mean"]) / checkpoint["std"]'
NET = 'net = GlyphNet(n_classes, width=len(state["features.0.weight"]))'
LOADED = "    net.features.load_state_dict(backbone)\n"
FROZEN = "    net.features.requires_grad_(False)\n"
BUILT = "    return net\n"
EVAL = "    net.eval()\n"
FOUND = "found = torch.cat([net.features(batch) for batch in x.split(batch_size)])"
RESTORED = "    for module, mode in modes.items():\n        module.training = mode\n"
MACHINE = 'make_pipeline(StandardScaler(), SVC(kernel="linear", C=1.0))'
FIT = "machine.fit(learn_features.cpu().numpy(), learn_target.cpu().numpy())"
HEADS = "torch.optim.SGD(net.head.parameters(), lr=lr, momentum=0.9)"
MODES = "    net.train()\n    net.features.train(any(p.requires_grad for p in net.features.parameters()))\n"
ZERO, STEP, TOTAL = "            optimiser.zero_grad()\n", "            optimiser.step()\n", "total += loss.item() * len(batch)"
LOSS, BATCHES = "loss = F.cross_entropy(net(batch), labels)", "zip(x.split(batch_size), target.split(batch_size))"
THAWED = "    net.requires_grad_(True)\n"
TWO = '[{"params": net.features.parameters(), "lr": backbone_lr}, {"params": net.head.parameters(), "lr": head_lr}]'


def mutant(cell, name, bug, killed_by, *changes):
    killed = killed_by if isinstance(killed_by, tuple) else (killed_by,)
    return Mutant(name, bug, cell, edited(CELLS[cell], *changes), killed)


MUTANTS = (
    # The catalogue's, L6-01 to L6-21.
    mutant("new-head", "not_frozen", "backbone requires_grad stays True", FREEZES, (FROZEN, "")),
    mutant("new-head", "all_frozen", "head frozen too", FREEZES, (FROZEN, "    net.requires_grad_(False)\n")),
    mutant("training", "bn_stats_drift", "frozen backbone left in train mode: BN statistics drift", ALONE,
           (MODES, "    net.train()\n")),
    mutant("training", "opt_backbone_only", "head missing from the optimiser", OPTIMISER,
           (HEADS, "torch.optim.SGD(net.features.parameters(), lr=lr, momentum=0.9)")),
    mutant("training", "opt_all_params", "optimiser unfreezes and updates everything", OPTIMISER,
           (HEADS, "torch.optim.SGD(net.requires_grad_(True).parameters(), lr=lr, momentum=0.9)")),
    mutant("new-head", "weights_not_loaded", "pretrained weights never loaded", LOADS, (LOADED, "")),
    mutant("new-head", "strict_false_prefix", "'module.' prefix + strict=False loads nothing", LOADS,
           (LOADED, '    net.load_state_dict(checkpoint["state_dict"], strict=False)\n')),
    mutant("data", "wrong_norm_stats", "per-batch statistics instead of the backbone's", NORM,
           (NORMALISED, "return (x - x.mean()) / x.std()")),
    mutant("new-head", "head_old_classes", "head keeps the old class count", HEAD,
           (NET, 'net = GlyphNet(len(checkpoint["classes"]), width=len(state["features.0.weight"]))')),
    mutant("features", "features_after_fc", "features taken after the classifier", EXTRACT, (FOUND, FOUND.replace("net.features", "net"))),
    mutant("features", "features_train_mode", "features extracted in train mode", EXTRACT, (EVAL, "")),
    mutant("features", "features_require_grad", "features carry a graph", EXTRACT, ("    with torch.no_grad():", "    if True:")),
    mutant("features", "scaler_fit_on_all", "scaler fitted on train+test", LEAK,
           (MACHINE, "make_pipeline(StandardScaler().fit(torch.cat([learn_features, test_features]).numpy()), SVC(kernel='linear'))"),
           (FIT, "machine[1].fit(machine[0].transform(learn_features.numpy()), learn_target.numpy())")),
    mutant("features", "svm_fit_includes_test", "classifier fitted on test rows too", LEAK,
           (FIT, FIT + "\n    again = torch.cat([learn_features, test_features]).cpu().numpy()\n"
            "    machine.fit(again, np.concatenate([learn_target.cpu().numpy(), machine.predict(test_features.cpu().numpy())]))")),
    mutant("new-head", "backbone_reinit", "apply(init) re-initialises the backbone", LOADS,
           (BUILT, "    net.apply(lambda one: one.reset_parameters() if isinstance(one, nn.Conv2d) else None)\n" + BUILT)),
    mutant("fine-tuning", "lr_groups_swapped", "head/backbone learning rates swapped", GROUPS,
           (TWO, TWO.replace("backbone_lr", "other").replace("head_lr", "backbone_lr").replace("other", "head_lr"))),
    mutant("data", "label_map_resorted", "class->index map depends on frequency", INDEX,
           (NAMED, "return {name: number for number, name in enumerate(sorted(set(names), key=names.count))}")),
    mutant("data", "train_val_overlap", "split overlaps", SPLIT, (CLEARED, "    rest[chosen[1:]] = False\n")),
    mutant("new-head", "head_no_bias_zero", "zero-initialised head without bias", HEAD,
           (BUILT, "    net.head = nn.Linear(net.head.in_features, n_classes, bias=False)\n    nn.init.zeros_(net.head.weight)\n" + BUILT)),
    mutant("new-head", "head_softmax", "softmax inside the head", HEAD,
           (BUILT, "    net.head.register_forward_hook(lambda module, inputs, output: output.softmax(dim=-1))\n" + BUILT)),
    mutant("fine-tuning", "unfreeze_never", "fine-tuning phase never unfreezes", GROUPS, (THAWED, "")),
    # Our own.
    mutant("data", "index_by_appearance", "numbers in the order of appearance", INDEX,
           (NAMED, "return {name: number for number, name in enumerate(dict.fromkeys(names))}")),
    mutant("data", "index_from_one", "numbers from 1 on", INDEX, (NAMED, NAMED.replace("enumerate(sorted(set(names)))", "enumerate(sorted(set(names)), 1)"))),
    mutant("data", "index_without_case", "names that differ in case alone become one", INDEX,
           (NAMED, "return {name: number for number, name in enumerate(sorted(set(name.lower() for name in names)))}")),
    mutant("data", "split_not_stratified", "so many of all, whatever their class", SPLIT,
           (CHOSEN, "chosen = order[: per_class * len(target.unique())]")),
    mutant("data", "split_takes_the_first", "the first of each class, the seed unused", SPLIT,
           (ORDER, "order = torch.arange(len(target))")),
    mutant("data", "split_global_seed", "seeds the notebook's own generator", SPLIT,
           (ORDER, "torch.manual_seed(seed)\n    order = torch.randperm(len(target)).to(target.device)")),
    mutant("data", "split_loses_the_rest", "as few to test on as to learn from", SPLIT,
           ("return chosen, rest.nonzero().flatten()", "return chosen, rest.nonzero().flatten()[: len(chosen)]")),
    mutant("data", "split_assumes_all_classes", "classes 0 to K-1 are taken for present", SPLIT,
           (CHOSEN, "chosen = torch.stack([order[target[order] == k][:per_class] for k in range(int(target.max()) + 1)]).flatten()")),
    mutant("data", "norm_by_variance", "divided by the square", NORM, (NORMALISED, NORMALISED + " ** 2")),
    mutant("data", "norm_precedence", "only the mean is divided", NORM, (NORMALISED, 'return x - checkpoint["mean"] / checkpoint["std"]')),
    mutant("data", "norm_in_place", "changes the pictures that it is given", NORM,
           (NORMALISED, 'return x.sub_(checkpoint["mean"]).div_(checkpoint["std"])')),
    mutant("data", "norm_float32", "float64 becomes float32", NORM, (NORMALISED, NORMALISED.replace("(x -", "(x.float() -"))),
    mutant("data", "norm_imagenet", "the numbers of another data set", NORM, (NORMALISED, "return (x - 0.449) / 0.226")),
    mutant("new-head", "width_fixed", "the width is taken for 16", LOADS, (NET, "net = GlyphNet(n_classes)")),
    mutant("new-head", "statistics_reset", "running statistics reset after loading", LOADS,
           (BUILT, "    for one in net.modules():\n        if isinstance(one, nn.BatchNorm2d):\n            one.reset_running_stats()\n" + BUILT)),
    mutant("new-head", "only_parameters_loaded", "parameters copied, buffers forgotten", LOADS,
           (LOADED, "    for name, value in net.features.named_parameters():\n        value.data = backbone[name]\n")),
    mutant("new-head", "batch_norm_not_frozen", "only convolutions are frozen", FREEZES,
           (FROZEN, "    for one in net.features:\n        if isinstance(one, nn.Conv2d):\n            one.requires_grad_(False)\n")),
    mutant("new-head", "head_zero", "head starts with zeros", HEAD, (BUILT, "    nn.init.zeros_(net.head.weight)\n" + BUILT)),
    mutant("new-head", "head_wide", "head starts with N(0, 1)", HEAD, (BUILT, "    nn.init.normal_(net.head.weight)\n" + BUILT)),
    mutant("new-head", "head_of_old_rows", "head begins with rows of the old one", HEAD,
           (BUILT, "    rows = min(n_classes, len(state['head.weight']))\n    net.head.weight.data[:rows] = state['head.weight'][:rows]\n" + BUILT)),
    mutant("new-head", "head_seeded", "a fixed seed for every new head", HEAD, (NET, "torch.manual_seed(0)\n    " + NET)),
    mutant("features", "first_batch_only", "only the first batch", EXTRACT, ("for batch in x.split(batch_size)]", "for batch in [x[:batch_size]]]")),
    mutant("features", "last_batch_dropped", "the smaller last batch is left out", EXTRACT,
           ("for batch in x.split(batch_size)]", "for batch in x.split(batch_size) if len(batch) == batch_size]")),
    mutant("features", "mode_not_restored", "left in eval mode", EXTRACT, (RESTORED, "")),
    mutant("features", "mode_train_after", "left in train mode", EXTRACT, (RESTORED, "    net.train()\n")),
    mutant("features", "mode_of_the_net_alone", "every module gets the net's own mode", EXTRACT,
           ("modes = {module: module.training for module in net.modules()}", "training = net.training"), (RESTORED, "    net.train(training)\n")),
    mutant("features", "before_pooling", "activations before the pooling", EXTRACT,
           ("net.features(batch)", "net.features[:10](batch).flatten(1)")),
    mutant("features", "detached_late_train", "detached, but in train mode for the statistics", EXTRACT,
           (EVAL, "    net.train()\n"), ("net.features(batch)", "net.features(batch).detach()")),
    mutant("features", "svm_unscaled", "features are not standardised", SVM, (MACHINE, 'make_pipeline(SVC(kernel="linear", C=1.0))')),
    mutant("features", "svm_scaled_apart", "the test set is scaled by its own statistics", LEAK,
           ("machine.predict(test_features.cpu().numpy())",
            "machine[1].predict(StandardScaler().fit_transform(test_features.cpu().numpy()))")),
    mutant("features", "svm_nearest", "nearest neighbour on raw features", SVM,
           ("    return torch.tensor(machine.predict(test_features.cpu().numpy()), dtype=torch.long)\n",
            "    return learn_target[torch.cdist(test_features, learn_features).argmin(dim=1)]\n")),
    mutant("features", "svm_floats", "classes come as floats", SVM, ("dtype=torch.long)", "dtype=torch.float32)")),
    mutant("training", "no_zero_grad", "gradients accumulate", STEPS, (ZERO, "")),
    mutant("training", "zero_grad_before_step", "gradients cleared before the step", STEPS, (STEP, ZERO + STEP)),
    mutant("training", "one_step_an_epoch", "only the last batch of an epoch is stepped on", STEPS,
           (STEP, "            if len(batch) < batch_size:\n                optimiser.step()\n")),
    mutant("training", "mean_of_batch_means", "mean over the batches", STEPS,
           (TOTAL, "total += loss.item()"), ("total / len(x)", "total / len(x.split(batch_size))")),
    mutant("training", "history_of_tensors", "losses kept with their graph", STEPS, (TOTAL, "total = total + loss * len(batch)")),
    mutant("training", "sum_loss", "sum instead of mean in the loss", STEPS, (LOSS, 'loss = F.cross_entropy(net(batch), labels, reduction="sum")')),
    mutant("training", "softmax_twice", "softmax before the cross-entropy", STEPS, (LOSS, "loss = F.cross_entropy(net(batch).softmax(dim=1), labels)")),
    mutant("training", "shuffles", "draws an order of its own", STEPS,
           (BATCHES, "[(x[places], target[places]) for places in torch.randperm(len(x)).split(batch_size)]")),
    mutant("training", "last_batch_dropped_in_training", "the smaller last batch is never seen", STEPS,
           (BATCHES, "zip(x[: len(x) // batch_size * batch_size].split(batch_size), target.split(batch_size))")),
    mutant("training", "always_eval", "backbone in eval mode also when it is trained", STEPS, (MODES, "    net.train()\n    net.features.eval()\n")),
    mutant("training", "labels_shifted", "batches of labels do not belong to the pictures", STEPS,
           ("target.split(batch_size))", "target.roll(1).split(batch_size))")),
    mutant("training", "momentum_forgotten", "no momentum", OPTIMISER, (HEADS, "torch.optim.SGD(net.head.parameters(), lr=lr)")),
    mutant("training", "weight_alone", "the head's bias is not trained", OPTIMISER, (HEADS, "torch.optim.SGD([net.head.weight], lr=lr, momentum=0.9)")),
    mutant("training", "copies", "the optimiser holds copies of the head's parameters", OPTIMISER,
           (HEADS, "torch.optim.SGD([p.detach().clone().requires_grad_() for p in net.head.parameters()], lr=lr, momentum=0.9)")),
    mutant("training", "adam", "another optimiser", OPTIMISER, (HEADS, "torch.optim.Adam(net.head.parameters(), lr=lr)")),
    mutant("fine-tuning", "one_group", "one learning rate for everything", GROUPS,
           (TWO, '[{"params": net.parameters(), "lr": backbone_lr}]')),
    mutant("fine-tuning", "head_only_thawed", "only the head requires gradients", GROUPS, (THAWED, "    net.head.requires_grad_(True)\n")),
    mutant("fine-tuning", "last_block_only", "only the last block is fine-tuned", GROUPS,
           (TWO, TWO.replace("net.features.parameters()", "net.features[7:].parameters()"))),
    mutant("fine-tuning", "no_momentum", "no momentum", GROUPS, ("momentum=0.9", "momentum=0.0")),
    mutant("fine-tuning", "default_rate", "one group falls back to a common learning rate", GROUPS,
           (TWO, '[{"params": net.features.parameters()}, {"params": net.head.parameters(), "lr": head_lr}]'),
           ("(groups, momentum", "(groups, lr=head_lr, momentum")),
)
