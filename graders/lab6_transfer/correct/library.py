"""As much as possible by libraries: sklearn's split and encoder, a forward hook, the dict loaded whole."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC
from torch.utils.data import DataLoader, TensorDataset


def class_index(names):
    return dict(zip(LabelEncoder().fit(names).classes_.tolist(), range(len(names))))


def split(target, per_class, seed):
    y = target.cpu().numpy()
    dice = np.random.default_rng(seed)
    learn = np.concatenate([dice.choice(np.flatnonzero(y == k), per_class, replace=False) for k in np.unique(y)])
    test = np.setdiff1d(np.arange(len(y)), learn)
    return torch.as_tensor(learn).to(target.device), torch.as_tensor(test).to(target.device)


def normalise(x, checkpoint):
    mean, std = (torch.full((1, 1, 1, 1), checkpoint[k], dtype=x.dtype, device=x.device) for k in ("mean", "std"))
    return F.batch_norm(x, mean.flatten(), std.flatten() ** 2, eps=0.0)


def build(checkpoint, n_classes):
    wrapped = nn.DataParallel(GlyphNet(len(checkpoint["classes"]), len(checkpoint["state_dict"]["module.features.1.bias"])))
    wrapped.load_state_dict(checkpoint["state_dict"])
    net = wrapped.module
    for p in net.parameters():
        p.requires_grad_(False)
    net.head = nn.Linear(net.head.in_features, n_classes)
    return net


@torch.inference_mode()
def extract(net, x, batch_size):
    seen = []
    hook = net.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    modes = [module.training for module in net.modules()]
    net.eval()
    for (batch,) in DataLoader(TensorDataset(x), batch_size=batch_size):
        net(batch)
    hook.remove()
    for module, mode in zip(net.modules(), modes):
        module.training = mode
    return torch.cat(seen).clone()


def svm_predict(learn_features, learn_target, test_features):
    scaler = StandardScaler()
    svm = SVC(kernel="linear", C=1).fit(scaler.fit_transform(learn_features.numpy()), learn_target.numpy())
    return torch.tensor(svm.predict(scaler.transform(test_features.numpy())))


def head_optimiser(net, lr):
    return torch.optim.SGD([{"params": [net.head.weight, net.head.bias]}], lr, 0.9)


def train(net, optimiser, x, target, epochs, batch_size):
    net.train()
    if not next(net.features.parameters()).requires_grad:
        for module in net.features.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    loader = DataLoader(TensorDataset(x, target), batch_size)
    history = []
    for _ in range(epochs):
        losses = []
        for inputs, labels in loader:
            optimiser.zero_grad()
            loss = F.cross_entropy(net(inputs), labels, reduction="none")
            loss.mean().backward()
            optimiser.step()
            losses += loss.tolist()
        history.append(float(np.mean(losses)))
    return history


def finetune_optimiser(net, head_lr, backbone_lr):
    for p in net.parameters():
        p.requires_grad_()
    return torch.optim.SGD([{"params": net.head.parameters()}, {"params": net.features.parameters(), "lr": backbone_lr}], lr=head_lr, momentum=0.9)
