"""Hidden tests of lab 6. Networks are the notebook's own GlyphNet, with states of ours; they stay in the student's process."""

import pytest
import torch
import torch.nn.functional as F

from assessor.grading.proxy import library
from assessor.grading.tolerances import assert_close_to, assert_dtype, assert_instance, assert_shape, require

WIDTH = 3


def draw(rng, *shape):
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def whole(rng, high, *shape):
    return torch.randint(high, shape, generator=rng)


@pytest.fixture(autouse=True)
def inputs_lie_on_the_cpu(student):
    """The tests' tensors lie on the CPU wherever the notebook trained, so that a mark depends on no machine."""
    student.device = "cpu"


def network(student, ours, n_classes, *, frozen):
    """The notebook's GlyphNet with our state, float64."""
    net = student.GlyphNet(n_classes, ours.head.in_features // 4).double()
    net.load_state_dict(dict(ours.state_dict()))
    net.features.requires_grad_(not frozen)
    ours.features.requires_grad_(not frozen)
    return net


def state_of(net):
    state = net.state_dict()
    assert_instance(state, dict, what="the state of the network")
    return state


def flags_of(net):
    """Which parameters require a gradient."""
    found = {}
    for item in net.named_parameters():
        assert_instance(item, tuple, what="a named parameter")
        assert_instance(item[1], torch.Tensor, what="a parameter")
        found[item[0]] = item[1].requires_grad
    return found


def built(student, reference, rng, n_classes=4):
    """A checkpoint of an old task with 7 classes, and what the student builds of it."""
    old = reference.settled(7, WIDTH, rng).float()
    checkpoint = reference.checkpoint_of(old, 7, 0.4, 0.2)
    return old, student.build(checkpoint, n_classes)


def unchanged(state, expected, what):
    for name, value in expected.items():
        require(name in state, f"{what}: `{name}` is no longer there")
        assert_instance(state[name], torch.Tensor, what=name)
        require(torch.equal(state[name], value), f"{what}: `{name}` is not the same")


def backbone_of(net):
    return {name: value for name, value in net.state_dict().items() if name.startswith("features.")}


@pytest.mark.marks("0.15")
@pytest.mark.hint("Does the number depend on which picture comes first, or on how many there are?")
def test_class_index(student, reference, rng):
    """`class_index` should number the names in alphabetical order, whatever their order and number."""
    words = ["wren", "owl", "Owl", "10", "9", "jay", "crow"]
    for length in (1, 4, 30):
        names = [words[int(place)] for place in whole(rng, len(words), length)]
        assert_close_to(student.class_index(names), reference.class_index(names), what="the numbers of the classes")


@pytest.mark.marks("0.25")
@pytest.mark.timeout(5)
@pytest.mark.hint("Are the two parts disjoint, is every class there as often as asked, and do two seeds differ?")
def test_split(student, rng):
    """`split` should draw so many of each class at random, and give all others as the second part."""
    target = torch.cat([torch.full((n,), k) for k, n in ((0, 40), (1, 25), (3, 33))])[torch.randperm(98, generator=rng)]
    seen = []
    for seed in (1, 2, 1):
        parts = student.split(target, 12, seed)
        assert_instance(parts, (tuple, list), what="the two parts")
        require(len(parts) == 2, f"{len(parts)} parts, where two were expected")
        for part in parts:
            assert_dtype(part, torch.int64, what="the places of a part")
        learn, test = parts
        assert_shape(learn, (36,), what="what is learnt from")
        assert_shape(test, (62,), what="what is tested on")
        require(torch.equal(torch.cat([learn, test]).sort().values, torch.arange(98)), "the parts overlap, or leave some out")
        require(target[learn].bincount().tolist() == [12, 12, 0, 12], "the classes are not there as often as asked for")
        seen.append(set(learn.tolist()))
    require(seen[0] == seen[2], "the same seed gives another split")
    require(seen[0] != seen[1], "two seeds give the same split")  # by chance in one of 10^30
    state = library(student, "torch.get_rng_state")
    before = state()
    student.split(target, 12, 3)
    require(torch.equal(before, state()), "the notebook's own random numbers were touched")


@pytest.mark.marks("0.35")
@pytest.mark.hint("Whose mean and standard deviation? Not the batch's. And is it divided by the deviation, not by its square?")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_normalise(student, reference, rng, dtype):
    """`normalise` should use the checkpoint's statistics, so that no picture depends on its neighbours."""
    x = torch.rand((6, 1, 8, 8), generator=rng, dtype=torch.float64).to(dtype)
    numbers = {"mean": 0.1 + float(torch.rand((), generator=rng)), "std": 0.3 + float(torch.rand((), generator=rng))}
    guarded = x.clone().requires_grad_()  # torch refuses to change such a leaf in place
    answer = student.normalise(guarded, numbers)
    assert_dtype(answer, dtype)
    assert_close_to(answer.detach(), reference.normalise(x, **numbers))
    assert_close_to(student.normalise(x[:1], numbers), answer.detach()[:1], what="one picture alone")


@pytest.mark.marks("0.45")
@pytest.mark.hint("Compare one tensor with the checkpoint's. Do the names match, and is anything initialised after loading?")
def test_build_loads_the_backbone(student, reference, rng):
    """`build` should have the checkpoint's backbone bit for bit, statistics of batch normalisation included."""
    old, net = built(student, reference, rng)
    unchanged(state_of(net), backbone_of(old), "the backbone after `build`")


@pytest.mark.marks("0.35")
@pytest.mark.hint("How many outputs, with a bias? Logits, or is there a softmax already? Are its first weights small and all different?")
@pytest.mark.parametrize("n_classes", [2, 9])
def test_build_has_a_new_head(student, reference, rng, n_classes):
    """`build` should end in a new linear head for the new classes, which gives logits."""
    old, net = built(student, reference, rng, n_classes)
    state = state_of(net)
    for name, shape in {"head.weight": (n_classes, 4 * WIDTH), "head.bias": (n_classes,)}.items():
        require(name in state, f"there is no `{name}`")
        assert_shape(state[name], shape, what=f"`{name}`")
    weight, bound = state["head.weight"].double(), (4 * WIDTH) ** -0.5
    require(weight.unique().numel() == weight.numel(), "the weights of the head are not drawn one by one")
    require(bool((weight.abs() <= 1.0001 * bound).all()), "the head does not start with PyTorch's usual weights")
    _, another = built(student, reference, rng, n_classes)
    require(not torch.equal(state_of(another)["head.weight"].double(), weight), "two new heads have the same weights")
    net.double().eval()
    x = draw(rng, 5, 1, 8, 8)
    ours = old.double().eval()
    expected = F.linear(ours.features(x), weight, state["head.bias"].double())
    assert_close_to(net(x), expected, what="the logits")


@pytest.mark.marks("0.25")
@pytest.mark.hint("Which parameters require a gradient: list them.")
def test_build_freezes_the_backbone(student, reference, rng):
    """`build` should freeze all of the backbone and nothing of the head."""
    _, net = built(student, reference, rng)
    flags = flags_of(net)
    require(len(flags) == 11, f"there are {len(flags)} parameters, where 11 were expected")
    for name, flag in flags.items():
        require(flag == name.startswith("head."), f"`{name}` {'requires a' if flag else 'requires no'} gradient")


def groups_of(optimiser):
    """Parameter groups by value, and the numbers of each."""
    groups = optimiser.param_groups
    assert_instance(groups, list, what="the parameter groups")
    for group in groups:
        assert_instance(group, dict, what="a parameter group")
        assert_instance(group.get("params"), list, what="the parameters of a group")
    return groups


def holds(group, state, prefix):
    """Whether a group holds exactly the parameters whose names begin so."""
    names = [name for name in state if name.startswith(prefix) and not name.endswith(("running_mean", "running_var", "tracked"))]
    mine = group["params"]
    assert_instance(mine[0] if mine else None, torch.Tensor, what="a parameter of a group")
    return len(mine) == len(names) and all(any(torch.equal(state[name], one) for one in mine) for name in names)


@pytest.mark.marks("0.3")
@pytest.mark.hint("Which parameters does the optimiser hold?")
def test_head_optimiser(student, reference, rng):
    """`head_optimiser` should hold the head's parameters and no others, and train them by SGD with momentum 0.9."""
    ours = reference.settled(5, WIDTH, rng)
    net = network(student, ours, 5, frozen=True)
    optimiser = student.head_optimiser(net, 0.07)
    for state in (state_of(net), dict(reference.settled(5, WIDTH, rng).state_dict())):
        net.load_state_dict(state)  # what an optimiser holds follows; a copy would not
        groups = groups_of(optimiser)
        require(len(groups) == 1 and holds(groups[0], state, "head."), "it holds other parameters than the head's")
    require(flags_of(net) == {name: name.startswith("head.") for name in flags_of(net)}, "it froze or thawed something")
    assert_close_to([groups[0].get("lr"), groups[0].get("momentum")], [0.07, 0.9], what="learning rate and momentum")


@pytest.mark.marks("0.4")
@pytest.mark.hint("Parameters are not all that a backbone is made of: what does batch normalisation do in train mode?")
def test_train_leaves_a_frozen_backbone_alone(student, reference, rng):
    """`train` should leave a frozen backbone as it is, bit for bit, running statistics included, and move the head."""
    ours = reference.settled(4, WIDTH, rng)
    net = network(student, ours, 4, frozen=True)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    net.train()  # however it was found
    optimiser = library(student, "torch.optim.SGD")(net.head.parameters(), lr=0.1)
    student.train(net, optimiser, 2 + draw(rng, 9, 1, 8, 8), whole(rng, 4, 9), 2, 4)
    state = state_of(net)
    unchanged(state, backbone_of(ours), "the backbone after `train`")
    for name in ("head.weight", "head.bias"):
        require(not torch.equal(state[name], before[name]), f"`{name}` has not moved")


@pytest.mark.marks("0.35")
@pytest.mark.hint("One step a batch, the last batch too; the mean over the examples, not over the batches.")
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "thawed"])
def test_train_takes_the_steps(student, reference, rng, frozen):
    """`train` should take one step a batch in the given order and tell each epoch's mean loss."""
    ours = reference.settled(4, WIDTH, rng)
    net = network(student, ours, 4, frozen=frozen)
    x, target = draw(rng, 11, 1, 8, 8), whole(rng, 4, 11)
    trained = (lambda one: one.head) if frozen else (lambda one: one)
    expected = reference.train(ours, torch.optim.SGD(trained(ours).parameters(), lr=0.05, momentum=0.5), x, target, 3, 4)
    optimiser = library(student, "torch.optim.SGD")(trained(net).parameters(), lr=0.05, momentum=0.5)
    history = student.train(net, optimiser, x, target, 3, 4)
    assert_instance(history, list, what="the history")
    require(all(type(one) is float for one in history), "the history is no list of floats")
    assert_close_to(history, expected, rtol=1e-7, what="the losses")
    state = state_of(net)
    for name, value in ours.state_dict().items():
        if value.is_floating_point():
            assert_close_to(state[name], value, rtol=1e-7, atol=1e-9, what=f"`{name}` after nine steps")


@pytest.mark.marks("0.4")
@pytest.mark.hint("In which mode, from which layer, with which graph; and is the last, smaller batch there?")
@pytest.mark.parametrize("training", [True, False], ids=["found in train mode", "found in eval mode"])
def test_extract(student, reference, rng, training):
    """`extract` should give what the head would get, in eval mode, without a graph, and leave the modes as they were."""
    ours = reference.settled(4, WIDTH, rng)
    net = network(student, ours, 4, frozen=False)
    x = draw(rng, 7, 1, 8, 8)
    net.train(training)
    net.head.train(not training)
    answer = student.extract(net, x, 3)
    assert_dtype(answer, torch.float64)
    require(not answer.requires_grad, "the features carry a graph")
    with torch.no_grad():
        assert_close_to(answer, ours.eval().features(x), what="the features")
    modes = [net.training, net.features.training, net.head.training]
    require(modes == [training, training, not training], "afterwards some module is in another mode")
    require(torch.equal(state_of(net)["features.1.running_mean"], ours.features[1].running_mean), "the statistics have moved")


def clouds(rng, n, scale):
    """Three classes whose informative feature is small beside a noisy one."""
    target = whole(rng, 3, n)
    features = draw(rng, n, 4)
    features[:, 0] = 0.01 * (target + 0.2 * features[:, 0])
    features[:, 1] *= scale
    features[:, 2] = 1.0
    return features, target


@pytest.mark.marks("0.2")
@pytest.mark.hint("Are the features of one scale before the machine sees them, also one that is constant?")
def test_svm(student, reference, rng):
    """`svm_predict` should standardise the features and find classes by a linear machine."""
    learn, target = clouds(rng, 60, 50.0)
    test, _ = clouds(rng, 80, 50.0)
    answer = student.svm_predict(learn, target, test)
    assert_dtype(answer, torch.int64)
    assert_shape(answer, (80,))
    same = (answer == reference.svm_predict(learn, target, test)).double().mean()
    require(bool(same >= 0.975), f"{1 - same:.0%} of the classes are not those of a linear machine on standardised features")


@pytest.mark.marks("0.2")
@pytest.mark.hint("Whatever is fitted, is fitted on the learning set.")
def test_svm_never_looks_at_the_test_set(student, rng):
    """`svm_predict` should answer for a picture the same whatever else is in the test set."""
    learn, target = clouds(rng, 60, 1.0)
    test, _ = clouds(rng, 40, 1.0)
    strangers = torch.cat([test, 1000 * draw(rng, 200, 4)])
    answer = student.svm_predict(learn, target, test)
    assert_shape(answer, (40,))
    crowd = student.svm_predict(learn, target, strangers)
    assert_shape(crowd, (240,))
    require(torch.equal(answer, crowd[:40]), "what is answered depends on the other pictures of the test set")
    alone = student.svm_predict(learn, target, test[:1])
    assert_shape(alone, (1,))
    require(bool(alone[0] == answer[0]), "a picture alone gets another answer")


@pytest.mark.marks("0.35")
@pytest.mark.hint("Which group has which learning rate, and does the backbone require gradients again?")
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "thawed"])
def test_finetune_optimiser(student, reference, rng, frozen):
    """`finetune_optimiser` should thaw everything and give head and backbone a learning rate each."""
    ours = reference.settled(4, WIDTH, rng)
    net = network(student, ours, 4, frozen=frozen)
    optimiser = student.finetune_optimiser(net, 0.3, 0.02)
    require(all(flags_of(net).values()), "some parameters require no gradient")
    state = dict(reference.settled(4, WIDTH, rng).state_dict())
    net.load_state_dict(state)  # what an optimiser holds follows; a copy would not
    groups = groups_of(optimiser)
    require(len(groups) == 2, f"{len(groups)} parameter groups, where two were expected")
    for prefix, lr in (("head.", 0.3), ("features.", 0.02)):
        mine = [group for group in groups if holds(group, state, prefix)]
        require(len(mine) == 1, f"no group holds exactly the parameters of {prefix[:-1]}")
        assert_close_to([mine[0].get("lr"), mine[0].get("momentum")], [lr, 0.9], what=f"learning rate and momentum of {prefix[:-1]}")
