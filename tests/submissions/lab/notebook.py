# ruff: noqa
# %% [markdown] intro
# The assignment that every submission of this suite answers, with its solutions.
# %% given imports
import torch
# %% answer double
def double(x):
    return 2 * x
# %% answer tally
def tally(text):
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts
# %% test check_double
assert double(2) == 4
# %% answer softmax
def softmax(logits):
    powers = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    return powers / powers.sum(dim=1, keepdim=True)
# %% answer scale
class Scale(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(features))

    def forward(self, x):
        return x * self.factor
# %% answer fit
def fit(x, y):
    return torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
