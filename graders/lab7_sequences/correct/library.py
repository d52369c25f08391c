"""What the library offers: eigenvectors, one-hot pairs, NLL on the class axis, scaled_dot_product_attention, Categorical."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def markov_matrix(tokens, n_symbols):
    one_hot = F.one_hot(tokens, n_symbols).double()
    counts = one_hot[:-1].T @ one_hot[1:]
    counts = torch.where(counts.sum(1, keepdim=True) == 0, torch.ones_like(counts), counts)
    return F.normalize(counts, p=1, dim=1)


def stationary(transition):
    values, vectors = torch.linalg.eig(transition.t())
    vector = vectors[:, torch.argmax(values.real)].real
    return vector / vector.sum()


def entropy_rate(transition):
    rows = torch.distributions.Categorical(probs=transition).entropy()
    return rows @ stationary(transition)


def lstm_step(x, h, c, weight_x, weight_h, bias):
    gates = F.linear(x, weight_x, bias) + F.linear(h, weight_h)
    i, f, g, o = torch.split(gates, h.size(1), dim=1)
    c_new = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(g))
    return torch.sigmoid(o) * torch.tanh(c_new), c_new


def gru_step(x, h, weight_x, weight_h, bias_x, bias_h):
    rx, zx, nx = F.linear(x, weight_x, bias_x).split(h.size(1), 1)
    rh, zh, nh = F.linear(h, weight_h, bias_h).split(h.size(1), 1)
    z = torch.sigmoid(zx + zh)
    n = torch.tanh(nx + torch.sigmoid(rx + rh) * nh)
    return torch.lerp(n, h, z)


def sequence_loss(logits, target, pad=-100):
    return nn.CrossEntropyLoss(ignore_index=pad)(logits.transpose(1, 2), target)


def perplexity(batches, pad=-100):
    nll = [F.cross_entropy(l.reshape(-1, l.size(-1)), t.reshape(-1), ignore_index=pad, reduction="none")[t.reshape(-1) != pad]
           for l, t in batches]
    return torch.cat(nll).double().mean().exp().item()


def train_epoch(model, optimiser, tokens, chunk, clip=1.0):
    inputs, target = shift(tokens)
    state, losses, sizes = None, [], []
    for x, y in zip(inputs.split(chunk, dim=1), target.split(chunk, dim=1)):
        optimiser.zero_grad(set_to_none=False)
        if state is not None:
            state = [s.detach_() for s in state]
        logits, state = model(x, state)
        loss = sequence_loss(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], max_norm=clip)
        optimiser.step()
        losses.append(loss.detach())
        sizes.append(x.size(1))
    sizes = torch.tensor(sizes, dtype=losses[0].dtype, device=losses[0].device)
    return float(torch.stack(losses) @ sizes / sizes.sum())


def last_output(outputs, lengths):
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, outputs.size(2))
    return outputs.gather(1, index).squeeze(1)


class Embedding(nn.Embedding):
    def __init__(self, n_tokens, n_features, pad=0):
        super().__init__(n_tokens, n_features, padding_idx=pad)


def cosine(a, b):
    return F.cosine_similarity(a[:, None], b[None], dim=-1)


def nearest(vectors, row, count):
    order = cosine(vectors[[row]], vectors).flatten().argsort(descending=True)
    return order[order != row][:count]


def attention(q, k, v, mask=None):
    identity = torch.eye(k.size(-2), dtype=k.dtype, device=k.device).expand(*k.shape[:-1], k.size(-2))
    weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask)
    return weights @ v, weights


class SelfAttention(nn.Module):
    def __init__(self, n_features, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(n_features, 3 * n_features)
        self.out = nn.Linear(n_features, n_features)

    def forward(self, x, lengths=None, causal=True):
        B, T, D = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.n_heads, D // self.n_heads).permute(2, 0, 3, 1, 4)
        if lengths is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        else:
            mask = (torch.arange(T, device=x.device) < lengths.unsqueeze(1)).view(B, 1, 1, T).expand(B, 1, T, T)
            if causal:
                mask = mask.tril()
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(y.permute(0, 2, 1, 3).reshape(B, T, D))


def temper(logits, temperature):
    return torch.distributions.Categorical(logits=logits / temperature).probs


def positional_encoding(n_steps, n_features):
    pe = torch.zeros(n_steps, n_features)
    position = torch.arange(0, n_steps).unsqueeze(1).float()
    div_term = torch.exp(torch.arange(0, n_features, 2).float() * -(math.log(10000.0) / n_features))
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    return pe
