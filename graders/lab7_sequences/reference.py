"""Reference for lab 7: sequences. Plain formulas and PyTorch's own layers, float64 where the test's inputs are."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, Tensor]


def markov_matrix(tokens: Tensor, n_symbols: int) -> Tensor:
    """Transition matrix by counting pairs; a row that was never left is uniform.

    Shape:
        tokens: (T,) long; result: (V, V) float64, rows sum to 1
    """
    counts = torch.zeros(n_symbols, n_symbols, dtype=torch.float64)
    for now, following in zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True):
        counts[now, following] += 1
    for row in counts:
        row += float(row.sum() == 0)
    return counts / counts.sum(dim=1, keepdim=True)


def stationary(transition: Tensor) -> Tensor:
    """The left eigenvector of eigenvalue 1, as shares.

    Shape:
        transition: (V, V), irreducible and aperiodic; result: (V,)
    """
    values, vectors = torch.linalg.eig(transition.T)
    share = vectors[:, (values - 1).abs().argmin()].real
    return share / share.sum()


def entropy_rate(transition: Tensor) -> Tensor:
    """Entropy of the next symbol given the last, in nats.

    Source:
        Cover and Thomas, Elements of Information Theory (2006), theorem 4.2.4.
    """
    share = stationary(transition)
    terms = [share[i] * p * p.log() for i, row in enumerate(transition) for p in row if p > 0]
    return -torch.stack(terms).sum()


def lstm_step(x: Tensor, h: Tensor, c: Tensor, weight_x: Tensor, weight_h: Tensor, bias: Tensor) -> State:
    """One step of an LSTM, blocks i, f, g, o.

    Shape:
        x: (B, D); h, c: (B, H); weight_x: (4H, D); weight_h: (4H, H); bias: (4H,); result: two of (B, H)

    Source:
        Hochreiter and Schmidhuber, Long short-term memory (1997), with the forget gate of Gers and others (2000).
    """
    h, c = torch.lstm_cell(x, (h, c), weight_x, weight_h, bias, torch.zeros_like(bias))
    return h, c


def gru_step(x: Tensor, h: Tensor, weight_x: Tensor, weight_h: Tensor, bias_x: Tensor, bias_h: Tensor) -> Tensor:
    """One step of a GRU, blocks r, z, n; the reset gate after the matrix.

    Shape:
        x: (B, D); h: (B, H); weight_x: (3H, D); weight_h: (3H, H); bias_x, bias_h: (3H,); result: (B, H)

    Source:
        Cho and others (2014), in the variant of cuDNN.
    """
    return torch.gru_cell(x, h, weight_x, weight_h, bias_x, bias_h)


def lstm(weight_x: Tensor, weight_h: Tensor, bias: Tensor) -> Callable[..., tuple[Tensor, State]]:
    """An LSTM layer with given weights: x (B, T, D), state two of (B, H) or None -> outputs (B, T, H), state."""
    n_hidden = weight_h.shape[1]
    layer = nn.LSTM(weight_x.shape[1], n_hidden, batch_first=True).double()
    weights = {"weight_ih_l0": weight_x, "weight_hh_l0": weight_h, "bias_ih_l0": bias, "bias_hh_l0": 0 * bias}
    layer.load_state_dict(weights)

    def run(x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        outputs, (h, c) = layer(x, None if state is None else (state[0][None], state[1][None]))
        return outputs, (h[0], c[0])

    return run


def surprises(logits: Tensor, target: Tensor, pad: int) -> Tensor:
    """-log p of every real token, in nats.

    Shape:
        logits: (B, T, V); target: (B, T); result: (N,), N the number of real tokens
    """
    rows, wanted = logits.reshape(-1, logits.shape[-1]), target.reshape(-1)
    real = wanted != pad
    return rows[real].logsumexp(dim=1) - rows[real].gather(1, wanted[real, None])[:, 0]


def perplexity(batches: list[tuple[Tensor, Tensor]], pad: int) -> float:
    """exp of the mean surprise over all real tokens of all batches."""
    return math.exp(torch.cat([surprises(logits, target, pad) for logits, target in batches]).mean())


def train_epoch(model: nn.Module, lr: float, tokens: Tensor, chunk: int, clip: float) -> float:
    """Truncated backpropagation with plain gradient descent; moves the model and gives its mean loss in nats.

    Shape:
        tokens: (B, T + 1) long

    Source:
        Williams and Peng, An efficient gradient-based algorithm for on-line training of recurrent networks (1990).
    """
    state, total, parameters = None, 0.0, list(model.parameters())
    length = tokens.shape[1] - 1
    for start in range(0, length, chunk):
        end = min(start + chunk, length)
        logits, state = model(tokens[:, start:end], state)
        loss = surprises(logits, tokens[:, start + 1 : end + 1], -100).mean()
        gradients = torch.autograd.grad(loss, parameters)
        norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= lr * gradient * min(1.0, clip / float(norm))
        state = tuple(one.detach() for one in state)
        total += float(loss) * (end - start)
    return total / length


def padding_mask(lengths: Tensor, n_steps: int) -> Tensor:
    """True for the first lengths[b] of n_steps. Shape: (B,) -> (B, T)."""
    return torch.tensor([[t < length for t in range(n_steps)] for length in lengths.tolist()])


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of all pairs, 0 for zero vectors. Shape: (N, D), (M, D) -> (N, M)."""
    norms = a.norm(dim=1)[:, None] * b.norm(dim=1)
    return torch.where(norms > 0, a @ b.T / norms.where(norms > 0, 1.0), 0.0)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention by PyTorch's own function; the weights are its answer for unit vectors as values.

    Shape:
        q: (..., T, D); k: (..., S, D); v: (..., S, E); mask: broadcasts to (..., T, S); results: (..., T, E), (..., T, S)
    """
    unit = torch.eye(k.shape[-2], dtype=v.dtype).expand(*v.shape[:-2], -1, -1)
    one = F.scaled_dot_product_attention
    return one(q, k, v, attn_mask=mask), one(q, k, unit, attn_mask=mask)


def self_attention(
    x: Tensor, weights: dict[str, Tensor], n_heads: int, lengths: Tensor | None, causal: bool
) -> Tensor:
    """Multi-head self-attention by PyTorch's own layer.

    Shape:
        x: (B, T, D); weights: qkv.weight (3D, D), qkv.bias (3D,), out.weight (D, D), out.bias (D,); result: (B, T, D)

    Source:
        Vaswani and others, Attention is all you need (2017), section 3.2.2.
    """
    n_steps, n_features = x.shape[1:]
    layer = nn.MultiheadAttention(n_features, n_heads, batch_first=True).double()
    layer.load_state_dict(
        {
            "in_proj_weight": weights["qkv.weight"], "in_proj_bias": weights["qkv.bias"],
            "out_proj.weight": weights["out.weight"], "out_proj.bias": weights["out.bias"],
        }
    )  # fmt: skip
    future = torch.ones(n_steps, n_steps, dtype=torch.bool).triu(1) if causal else None
    padding = None if lengths is None else ~padding_mask(lengths, n_steps)
    y, _ = layer(x, x, x, attn_mask=future, key_padding_mask=padding)
    return y.detach()


def positional_encoding(n_steps: int, n_features: int) -> Tensor:
    """Sine and cosine alternating. Shape: result (T, D) float64.

    Source:
        Vaswani and others (2017), section 3.5.
    """
    angle = [[n / 10_000 ** ((d - d % 2) / n_features) for d in range(n_features)] for n in range(n_steps)]
    rows = [[math.cos(a) if d % 2 else math.sin(a) for d, a in enumerate(row)] for row in angle]
    return torch.tensor(rows, dtype=torch.float64)


def greedy(table: Tensor, state: Tensor, first: Tensor, stop: int, max_length: int, pad: int) -> Tensor:
    """Greedy decoding where the logits are table[token] + state, and the state's columns move on by one each step.

    Shape:
        table: (V, V); state: (B, V); first: (B,) long; result: (B, L) long
    """
    rows = []
    for token, own in zip(first.tolist(), state, strict=True):
        row: list[int] = []
        while len(row) < max_length and stop not in row:
            token = int((table[token] + own).argmax())
            own = own.roll(1)
            row.append(token)
        rows.append(row + [pad] * (max_length - len(row)))
    return torch.tensor(rows)
