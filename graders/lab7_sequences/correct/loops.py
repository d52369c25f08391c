"""Everything written out: loops over batch, time, heads and tokens; gates one by one; early end of decoding."""

import math

import torch
from torch import nn


def markov_matrix(tokens, n_symbols):
    rows = [[0] * n_symbols for _ in range(n_symbols)]
    previous = None
    for token in tokens.tolist():
        if previous is not None:
            rows[previous][token] += 1
        previous = token
    for i, row in enumerate(rows):
        total = sum(row)
        rows[i] = [n / total for n in row] if total else [1 / n_symbols] * n_symbols
    return torch.tensor(rows)


def stationary(transition):
    p = torch.full_like(transition[0], 1 / len(transition))
    for _ in range(2000):
        p = p @ transition
    return p


def entropy_rate(transition):
    h = 0
    for share, row in zip(stationary(transition), transition):
        for p in row:
            if p > 0:
                h -= share * p * math.log(p)
    return h


def shift(tokens):
    steps = tokens.shape[1]
    inputs = torch.stack([tokens[:, t] for t in range(steps - 1)], 1)
    target = torch.stack([tokens[:, t + 1] for t in range(steps - 1)], 1)
    return inputs, target


def lstm_step(x, h, c, weight_x, weight_h, bias):
    n = h.shape[1]
    parts = []
    for k in range(4):
        rows = slice(k * n, (k + 1) * n)
        parts.append(x @ weight_x[rows].T + h @ weight_h[rows].T + bias[rows])
    i, f, o = torch.sigmoid(parts[0]), torch.sigmoid(parts[1]), torch.sigmoid(parts[3])
    c = f * c + i * torch.tanh(parts[2])
    h = o * torch.tanh(c)
    return [h, c]


def gru_step(x, h, weight_x, weight_h, bias_x, bias_h):
    n = h.shape[1]
    a = [x @ weight_x[k * n : k * n + n].T + bias_x[k * n : k * n + n] for k in range(3)]
    u = [h @ weight_h[k * n : k * n + n].T + bias_h[k * n : k * n + n] for k in range(3)]
    r = 1 / (1 + torch.exp(-(a[0] + u[0])))
    z = 1 / (1 + torch.exp(-(a[1] + u[1])))
    new = torch.tanh(a[2] + r * u[2])
    return new - z * new + z * h


class LSTM(nn.Module):
    def __init__(self, n_features, n_hidden):
        super().__init__()
        self.n_hidden = n_hidden
        self.weight_x = nn.Parameter(0.1 * torch.randn(4 * n_hidden, n_features))
        self.weight_h = nn.Parameter(0.1 * torch.randn(4 * n_hidden, n_hidden))
        self.bias = nn.Parameter(torch.zeros(4 * n_hidden))

    def forward(self, x, state=None):
        batch, steps, _ = x.shape
        if state is None:
            h = torch.zeros(batch, self.n_hidden, dtype=x.dtype, device=x.device)
            c = torch.zeros(batch, self.n_hidden, dtype=x.dtype, device=x.device)
        else:
            h, c = state[0], state[1]
        outputs = torch.empty(batch, steps, self.n_hidden, dtype=x.dtype, device=x.device)
        for t in range(steps):
            h, c = lstm_step(x[:, t, :], h, c, self.weight_x, self.weight_h, self.bias)
            outputs[:, t] = h
        return outputs, (h, c)


def sequence_loss(logits, target, pad=-100):
    total, count = 0.0, 0
    for b in range(logits.shape[0]):
        for t in range(logits.shape[1]):
            if target[b, t] != pad:
                total = total - torch.log_softmax(logits[b, t], dim=0)[target[b, t]]
                count += 1
    return total / count


def perplexity(batches, pad=-100):
    surprise, count = 0.0, 0
    for logits, target in batches:
        n = (target != pad).sum().item()
        surprise += sequence_loss(logits, target, pad).item() * n
        count += n
    return math.exp(surprise / count)


def train_epoch(model, optimiser, tokens, chunk, clip=1.0):
    total, seen, state, start = 0.0, 0, None, 0
    while start < tokens.shape[1] - 1:
        end = min(start + chunk, tokens.shape[1] - 1)
        logits, (h, c) = model(tokens[:, start:end], state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, start + 1 : end + 1].flatten())
        for p in model.parameters():
            p.grad = None
        loss.backward()
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in model.parameters()))
        if norm > clip:
            for p in model.parameters():
                p.grad.mul_(clip / norm)
        optimiser.step()
        total += loss.item() * (end - start) * tokens.shape[0]
        seen += (end - start) * tokens.shape[0]
        state = (h.detach(), c.detach())
        start = end
    return total / seen


def padding_mask(lengths, n_steps):
    mask = torch.zeros(len(lengths), n_steps, dtype=torch.bool, device=lengths.device)
    for b, length in enumerate(lengths):
        mask[b, :length] = True
    return mask


def last_output(outputs, lengths):
    return torch.stack([outputs[b, length - 1] for b, length in enumerate(lengths)])


def masked_mean(outputs, lengths):
    return torch.stack([outputs[b, :length].mean(0) for b, length in enumerate(lengths)])


class Embedding(nn.Module):
    def __init__(self, n_tokens, n_features, pad=0):
        super().__init__()
        weight = torch.randn(n_tokens, n_features)
        weight[pad] = 0
        self.weight = nn.Parameter(weight)
        self.pad = pad

    def forward(self, tokens):
        return self.weight[tokens] * (tokens != self.pad).unsqueeze(-1)


def encode(words, index, unknown=1):
    tokens = []
    for word in words:
        if word in index:
            tokens.append(index[word])
        else:
            tokens.append(unknown)
    return torch.LongTensor(tokens)


def cosine(a, b):
    out = torch.zeros(len(a), len(b), dtype=a.dtype, device=a.device)
    for i in range(len(a)):
        for j in range(len(b)):
            if a[i].norm() > 0 and b[j].norm() > 0:
                out[i, j] = a[i].dot(b[j]) / (a[i].norm() * b[j].norm())
    return out


def nearest(vectors, row, count):
    scores = cosine(vectors, vectors[row].unsqueeze(0)).squeeze(1).tolist()
    others = sorted((other for other in range(len(vectors)) if other != row), key=lambda other: -scores[other])
    return torch.tensor(others[:count])


def causal_mask(n_steps):
    mask = torch.zeros(n_steps, n_steps).bool()
    for i in range(n_steps):
        mask[i, : i + 1] = True
    return mask


def attention(q, k, v, mask=None):
    scores = torch.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.full_like(scores, -1e30))
    scores = scores - scores.max(dim=-1, keepdim=True).values
    weights = torch.exp(scores)
    weights = weights / weights.sum(-1, keepdim=True)
    return torch.einsum("...ts,...se->...te", weights, v), weights


class SelfAttention(nn.Module):
    def __init__(self, n_features, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(n_features, 3 * n_features)
        self.out = nn.Linear(n_features, n_features)

    def forward(self, x, lengths=None, causal=True):
        steps, width = x.shape[1], x.shape[2]
        size = width // self.n_heads
        everything = self.qkv(x)
        q, k, v = everything[..., :width], everything[..., width : 2 * width], everything[..., 2 * width :]
        results = []
        for b in range(len(x)):
            mask = torch.ones(steps, steps, dtype=torch.bool, device=x.device)
            if causal:
                mask = torch.tril(mask)
            if lengths is not None:
                mask[:, int(lengths[b]) :] = False
            heads = [slice(m * size, (m + 1) * size) for m in range(self.n_heads)]
            results.append(torch.cat([attention(q[b, :, m], k[b, :, m], v[b, :, m], mask)[0] for m in heads], dim=1))
        return self.out(torch.stack(results))


def positional_encoding(n_steps, n_features):
    pe = torch.zeros(n_steps, n_features)
    for n in range(n_steps):
        for i in range(n_features // 2):
            angle = n / 10000 ** (2 * i / n_features)
            pe[n, 2 * i], pe[n, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return pe


def temper(logits, temperature):
    z = logits / temperature
    z = z - z.max(dim=-1, keepdim=True)[0]
    return z.exp() / z.exp().sum(dim=-1, keepdim=True)


def greedy_decode(step, first, state, stop, max_length, pad=0):
    result = torch.full((len(first), max_length), pad, dtype=torch.long, device=first.device)
    running = torch.ones(len(first), dtype=torch.bool, device=first.device)
    tokens = first.clone()
    for t in range(max_length):
        logits, state = step(tokens, state)
        tokens = torch.where(running, logits.max(dim=1)[1], pad if pad < logits.shape[1] else 0)
        result[running, t] = tokens[running]
        running &= tokens != stop
        if not running.any():
            break
    return result
