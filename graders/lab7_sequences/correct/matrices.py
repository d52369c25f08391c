"""Sequences as matrices: scatter and one-hot products, weights stacked side by side, masks as additive -inf, own zero rows."""

import numpy as np
import torch
import torch.nn as nn


def markov_matrix(tokens, n_symbols):
    counts = np.zeros((n_symbols, n_symbols))
    t = tokens.cpu().numpy()
    np.add.at(counts, (t[:-1], t[1:]), 1)
    totals = counts.sum(1, keepdims=True)
    return torch.from_numpy(np.where(totals > 0, counts / np.maximum(totals, 1), 1 / n_symbols))


def stationary(transition):
    n = len(transition)
    a = transition.T - torch.eye(n, dtype=transition.dtype, device=transition.device)
    a = torch.cat([a[:-1], torch.ones_like(a[:1])])
    b = torch.zeros_like(a[0])
    b[-1] = 1
    return torch.linalg.solve(a, b)


def entropy_rate(transition):
    return torch.special.entr(transition).sum(1) @ stationary(transition)


def shift(tokens):
    return tokens.narrow(1, 0, tokens.size(1) - 1), tokens.roll(-1, dims=1)[:, :-1]


def lstm_step(x, h, c, weight_x, weight_h, bias):
    both = torch.cat([x, h], 1) @ torch.cat([weight_x, weight_h], 1).t()
    gates = (both + bias).reshape(len(x), 4, -1)
    i, f, o = (gates[:, k].sigmoid() for k in (0, 1, 3))
    memory = c * f + i * gates[:, 2].tanh()
    return o * memory.tanh(), memory


def gru_step(x, h, weight_x, weight_h, bias_x, bias_h):
    a = torch.addmm(bias_x, x, weight_x.t()).unflatten(1, (3, -1))
    u = torch.addmm(bias_h, h, weight_h.t()).unflatten(1, (3, -1))
    gates = torch.sigmoid(a[:, :2] + u[:, :2])
    r, z = gates[:, 0], gates[:, 1]
    n = torch.tanh(a[:, 2] + r * u[:, 2])
    return n + z * (h - n)


class LSTM(nn.Module):
    def __init__(self, n_features, n_hidden):
        super().__init__()
        self.weight_x = nn.Parameter(torch.empty(4 * n_hidden, n_features))
        self.weight_h = nn.Parameter(torch.empty(4 * n_hidden, n_hidden))
        self.bias = nn.Parameter(torch.zeros(4 * n_hidden))
        nn.init.xavier_uniform_(self.weight_x)
        nn.init.orthogonal_(self.weight_h)

    def forward(self, x, state=None):
        if state is None:
            zeros = torch.zeros_like(self.weight_h[0]).repeat(x.size(0), 1)
            state = (zeros, zeros)
        outputs = []
        for x_t in x.transpose(0, 1):
            state = lstm_step(x_t, *state, self.weight_x, self.weight_h, self.bias)
            outputs += [state[0].unsqueeze(1)]
        return torch.cat(outputs, 1), tuple(state)


def sequence_loss(logits, target, pad=-100):
    mask = (target != pad).to(logits.dtype)
    safe = target.masked_fill(target == pad, 0)
    log_p = logits.log_softmax(-1).gather(-1, safe.unsqueeze(-1)).squeeze(-1)
    return -(log_p * mask).sum() / mask.sum()


def perplexity(batches, pad=-100):
    logits = torch.cat([batch[0].flatten(0, 1) for batch in batches])
    target = torch.cat([batch[1].flatten() for batch in batches])
    return float(torch.exp(sequence_loss(logits[None], target[None], pad)))


def padding_mask(lengths, n_steps):
    return torch.ones(len(lengths), n_steps, device=lengths.device).cumsum(1) <= lengths.view(-1, 1)


def last_output(outputs, lengths):
    here = torch.nn.functional.one_hot(lengths - 1, outputs.size(1)).to(outputs)
    return torch.einsum("bt,bth->bh", here, outputs)


def masked_mean(outputs, lengths):
    mask = padding_mask(lengths, outputs.size(1)).to(outputs)
    return torch.bmm((mask / mask.sum(1, keepdim=True)).unsqueeze(1), outputs).squeeze(1)


class Embedding(nn.Module):
    def __init__(self, n_tokens, n_features, pad=0):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(n_tokens, n_features))
        keep = torch.ones(n_tokens, 1)
        keep[pad] = 0
        self.register_buffer("keep", keep)

    def forward(self, tokens):
        return torch.nn.functional.embedding(tokens, self.vectors * self.keep)


def cosine(a, b):
    def unit(x):
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return x / torch.where(norm == 0, torch.ones_like(norm), norm)

    return torch.mm(unit(a), unit(b).t())


def nearest(vectors, row, count):
    best = torch.topk(cosine(vectors, vectors)[row].index_fill(0, torch.tensor([row], device=vectors.device), -2.0), k=count)
    return best[1]


def causal_mask(n_steps):
    steps = torch.arange(n_steps)
    return steps[None, :] <= steps[:, None]


def attention(q, k, v, mask=None):
    scores = torch.matmul(q, k.mT) / q.size(-1) ** 0.5
    if mask is not None:
        scores = scores + torch.zeros_like(mask, dtype=scores.dtype).masked_fill(mask.logical_not(), float("-inf"))
    weights = torch.nn.functional.softmax(scores, -1)
    return torch.matmul(weights, v), weights


class SelfAttention(nn.Module):
    def __init__(self, n_features, n_heads):
        super().__init__()
        self.n_heads, self.width = n_heads, n_features // n_heads
        self.qkv = nn.Linear(n_features, 3 * n_features)
        self.out = nn.Linear(n_features, n_features)

    def forward(self, x, lengths=None, causal=True):
        if lengths is None:
            lengths = torch.full((x.size(0),), x.size(1), device=x.device)
        mask = padding_mask(lengths, x.size(1))[:, None, :]
        if causal:
            mask = mask & causal_mask(x.size(1)).to(x.device)[None]
        q, k, v = [torch.stack(part.split(self.width, dim=2), dim=0) for part in self.qkv(x).tensor_split(3, dim=2)]
        y, _ = attention(q, k, v, mask)  # heads first: (M, B, T, D / M)
        return self.out(torch.cat(list(y), dim=2))


def positional_encoding(n_steps, n_features):
    n = np.arange(n_steps)[:, None]
    d = np.arange(n_features)[None, :]
    angle = n / np.power(10000, (2 * (d // 2)) / n_features)
    return torch.from_numpy(np.where(d % 2 == 0, np.sin(angle), np.cos(angle))).float()


def temper(logits, temperature):
    return torch.exp(torch.log_softmax(logits / temperature, dim=-1))


def greedy_decode(step, first, state, stop, max_length, pad=0):
    made, tokens = [], first
    for _ in range(max_length):
        logits, state = step(tokens, state)
        tokens = torch.argmax(logits, 1)
        made.append(tokens)
    made = torch.stack(made, 1)
    over = (made == stop).long().cumsum(1) - (made == stop).long() > 0
    return torch.where(over, torch.full_like(made, pad), made)
