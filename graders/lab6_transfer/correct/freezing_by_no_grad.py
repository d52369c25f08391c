"""Masks and comprehensions; one generator of batches; the backbone's features are computed before the head sees them."""

import torch
from sklearn.linear_model import SGDClassifier  # tried, and not used
from sklearn.svm import SVC
from torch import nn


def class_index(names):
    alphabet = sorted({*names})
    return {name: alphabet.index(name) for name in names}


def split(target, per_class, seed):
    noise = torch.rand(len(target), generator=torch.Generator().manual_seed(seed + 1000)).to(target.device)
    learning = torch.zeros(len(target), dtype=torch.bool, device=target.device)
    for k in target.unique():
        mine = torch.where(target == k)[0]
        learning[mine[noise[mine].argsort()[:per_class]]] = True
    return torch.where(learning)[0], torch.where(~learning)[0]


def normalise(x, checkpoint):
    y = x.clone()
    y -= checkpoint["mean"]
    y /= checkpoint["std"]
    return y


def build(checkpoint, n_classes):
    state = {k[len("module.") :]: v for k, v in checkpoint["state_dict"].items()}
    net = GlyphNet(n_classes, width=state["head.weight"].shape[1] // 4)
    state["head.weight"], state["head.bias"] = net.head.weight.data, net.head.bias.data
    print(net.load_state_dict(state))
    for layer in net.features:
        for p in layer.parameters():
            p.requires_grad = False
    return net


def extract(net, x, batch_size):
    was = {name: module.training for name, module in net.named_modules()}
    try:
        net.eval()
        with torch.no_grad():
            return torch.vstack([net.features(part) for part in torch.split(x, batch_size)])
    finally:
        for name, module in net.named_modules():
            module.training = was[name]


def svm_predict(learn_features, learn_target, test_features):
    both = torch.vstack([learn_features, test_features]).double()
    scale = both[: len(learn_features)].std(dim=0, correction=0)
    both = (both - both[: len(learn_features)].mean(dim=0)) / torch.where(scale == 0, 1.0, scale)
    learn, test = both[: len(learn_features)].cpu().numpy(), both[len(learn_features) :].cpu().numpy()
    return torch.tensor(SVC(kernel="linear").fit(learn, learn_target.cpu().numpy()).predict(test), dtype=torch.int64)


def head_optimiser(net, lr):
    return torch.optim.SGD(list(net.head.parameters()), lr=lr, momentum=0.9)


def train(net, optimiser, x, target, epochs, batch_size):
    thawed = any([p.requires_grad for p in net.features.parameters()])
    net.head.train()
    net.features.train(thawed)
    pairs = list(zip(torch.split(x, batch_size), torch.split(target, batch_size)))
    history = []
    for _ in range(epochs):
        weighted = []
        for inputs, labels in pairs:
            if thawed:
                seen = net.features(inputs)
            else:
                with torch.no_grad():
                    seen = net.features(inputs)
            loss = nn.NLLLoss()(net.head(seen).log_softmax(dim=1), labels)
            optimiser.zero_grad(set_to_none=False)
            loss.backward()
            optimiser.step()
            weighted.append(loss.item() * len(labels) / len(x))
        history.append(sum(weighted))
    return history


def finetune_optimiser(net, head_lr, backbone_lr):
    net.features.requires_grad_()
    net.head.requires_grad_()
    return torch.optim.SGD(
        [dict(params=list(net.head.parameters()), lr=head_lr), dict(params=list(net.features.parameters()), lr=backbone_lr)],
        lr=head_lr,
        momentum=0.9,
    )
