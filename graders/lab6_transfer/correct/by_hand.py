"""Loops and plain arithmetic; the machine's scaler by hand; names cut by slicing."""

import torch
import torch.nn as nn
from sklearn.svm import SVC


def class_index(names):
    index = {}
    for name in sorted(names):
        if name not in index:
            index[name] = len(index)
    return index


def split(target, per_class, seed):
    g = torch.Generator()
    g.manual_seed(seed)
    learn = []
    for k in sorted(set(target.tolist())):
        places = [i for i in range(len(target)) if target[i] == k]
        learn += [places[j] for j in torch.randperm(len(places), generator=g)[:per_class].tolist()]
    test = [i for i in range(len(target)) if i not in set(learn)]
    return torch.tensor(learn), torch.tensor(test)


def normalise(x, checkpoint):
    return x / checkpoint["std"] - checkpoint["mean"] / checkpoint["std"]


def build(checkpoint, n_classes):
    old = checkpoint["state_dict"]
    net = GlyphNet(n_classes, old["module.features.0.weight"].size(0))
    new = net.state_dict()
    for name in new:
        if "head" not in name:
            new[name] = old["module." + name]
    net.load_state_dict(new)
    for name, p in net.named_parameters():
        p.requires_grad = "head" in name
    return net


def extract(net, x, batch_size):
    before = [(m, m.training) for m in net.modules()]
    net.train(False)
    out = []
    for start in range(0, len(x), batch_size):
        out.append(net.features(x[start : start + batch_size]).detach())
    for m, was in before:
        m.training = was
    return torch.cat(out, dim=0)


def svm_predict(learn_features, learn_target, test_features):
    mean, std = learn_features.mean(0), learn_features.std(0, unbiased=False)
    std[std == 0] = 1
    svm = SVC(kernel="linear")
    svm.fit((learn_features - mean) / std, learn_target)
    return torch.from_numpy(svm.predict((test_features - mean) / std)).long()


def head_optimiser(net, lr):
    params = [p for p in net.parameters() if p.requires_grad]
    return torch.optim.SGD(params, lr=lr, momentum=0.9)


def train(net, optimiser, x, target, epochs, batch_size):
    criterion = nn.CrossEntropyLoss()
    frozen = not net.features[0].weight.requires_grad
    losses = []
    for epoch in range(epochs):
        net.train()
        if frozen:
            net.features.eval()
        running = 0.0
        for i in range(0, x.shape[0], batch_size):
            out = net(x[i : i + batch_size])
            loss = criterion(out, target[i : i + batch_size])
            net.zero_grad()
            loss.backward()
            optimiser.step()
            running = running + float(loss) * out.shape[0]
        losses.append(running / x.shape[0])
    return losses


def finetune_optimiser(net, head_lr, backbone_lr):
    head, body = [], []
    for name, p in net.named_parameters():
        p.requires_grad = True
        (head if name.startswith("head") else body).append(p)
    optimiser = torch.optim.SGD(head, lr=head_lr, momentum=0.9)
    optimiser.add_param_group({"params": body, "lr": backbone_lr})
    return optimiser
