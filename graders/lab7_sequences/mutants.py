"""Wrong answers to lab 7, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab7_sequences" / "lab7_sequences.ipynb"
CELLS = {
    cell: solution(NOTEBOOK, cell)
    for cell in (
        "source", "shift", "cells", "lstm", "loss", "tbptt", "padding", "embedding", "words", "dot-product", "heads", "position",
        "decoding",
    )
}  # fmt: skip
LSTM_STEP, GRU_STEP, LAYER, PIECES = "test_lstm_step", "test_gru_step", "test_lstm_layer", "test_lstm_in_pieces"
LOSS, PERPLEXITY, TBPTT, EMBEDDING = "test_sequence_loss", "test_perplexity", "test_train_epoch", "test_embedding"
ATTENTION, HEADS, POSITION, GREEDY = "test_attention", "test_self_attention", "test_positional_encoding", "test_greedy_decode"
MATRIX, STATIONARY, ENTROPY = "test_markov_matrix", "test_stationary", "test_entropy_rate"

PAIRS = "pairs = tokens[:-1] * n_symbols + tokens[1:]"
SURPRISE = "torch.xlogy(transition, transition).sum(dim=1)"
ZEROS = "(x.new_zeros(len(x), self.weight_h.shape[1]),) * 2"
CALL = "lstm_step(x_t, h, c, self.weight_x, self.weight_h, self.bias)"
MEAN = "F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad)"
CLIP = "        nn.utils.clip_grad_norm_(model.parameters(), clip)\n"
TOTAL = "            total += float(sequence_loss(logits, target, pad)) * real\n            count += real\n"
TOTAL = TOTAL.replace("            ", "        ")
LOOKUP = "self.table = nn.Embedding(n_tokens, n_features, padding_idx=pad)"
SCORES = "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])"
HIDDEN = "        scores = scores.masked_fill(~mask, -math.inf)\n"
SPLIT = "one.unflatten(-1, heads).transpose(1, 2)"
RATE = "10_000.0 ** (-torch.arange(0, n_features, 2) / n_features)"
TILES = "torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)"


def of(cell, *killed_by):
    """Makes mutants of one cell that the given tests should find."""

    def mutant(name, bug, *changes):
        return Mutant(name, bug, cell, edited(CELLS[cell], *changes), killed_by)

    return mutant


matrix, stationary, entropy, shift = of("source", MATRIX), of("source", STATIONARY), of("source", ENTROPY), of("shift", "test_shift")
lstm_step, gru_step, layer, pieces = of("cells", LSTM_STEP), of("cells", GRU_STEP), of("lstm", LAYER), of("lstm", PIECES)
loss, perplexity, tbptt, embedding = of("loss", LOSS), of("loss", PERPLEXITY), of("tbptt", TBPTT), of("embedding", EMBEDDING)
real, last, mean = of("padding", "test_padding_mask"), of("padding", "test_last_output"), of("padding", "test_masked_mean")
encode, cosine, nearest = of("words", "test_encode"), of("words", "test_cosine"), of("words", "test_nearest")
causal, attention, heads, position = of("dot-product", "test_causal_mask"), of("dot-product", ATTENTION), of("heads", HEADS), of("position", POSITION)
temper, greedy = of("decoding", "test_temper"), of("decoding", GREEDY)

FROM_THE_CATALOGUE = (
    shift("target_not_shifted", "target = input (copies)", ("tokens[:, :-1], tokens[:, 1:]", "tokens[:, :-1], tokens[:, :-1]")),
    shift("target_shift_back", "predicts the previous token", ("tokens[:, :-1], tokens[:, 1:]", "tokens[:, 1:], tokens[:, :-1]")),
    layer("hidden_reset_each_step", "hidden state zeroed each step", (CALL, CALL.replace("h, c,", "0 * h, 0 * c,"))),
    tbptt("hidden_not_detached", "TBPTT chunks not detached", ("        state = tuple(one.detach() for one in state)\n", ""),
          ("loss.backward()", "loss.backward(retain_graph=True)")),
    last("last_output_ignores_length", "output[:, -1] on padded sequences",
         ("outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]", "outputs[:, -1]")),
    last("first_not_last", "first time step used",
         ("outputs[torch.arange(len(outputs), device=outputs.device), lengths - 1]", "outputs[:, 0]")),
    layer("batch_time_swapped", "batch_first confusion: time is the first axis", ("x.unbind(dim=1)", "x"),
          ("x.new_zeros(len(x), ", "x.new_zeros(x.shape[1], "), ("torch.stack(outputs, dim=1)", "torch.stack(outputs)")),
    mean("pad_in_mean", "padding averaged in",
         ("outputs.masked_fill(~real, 0.0).sum(dim=1) / lengths[:, None]", "outputs.mean(dim=1)")),
    attention("softmax_over_time", "softmax over the query axis", ("scores.softmax(dim=-1)", "scores.softmax(dim=-2)")),
    attention("attn_no_scale", "1/sqrt(d) missing", (" / math.sqrt(q.shape[-1])", "")),
    heads("causal_mask_missing", "no causal mask", ("        if causal:\n", "        if False:\n")),
    causal("causal_mask_transposed", "mask lets the future in", (".tril()", ".triu()")),
    attention("mask_after_softmax", "mask after softmax: rows do not sum to 1", (HIDDEN, "        pass\n"),
              ("scores.softmax(dim=-1)", "scores.softmax(dim=-1) * (1.0 if mask is None else mask)")),
    heads("heads_view_no_transpose", "heads split by view without transpose",
          (SPLIT, "one.reshape(len(x), self.n_heads, n_steps, -1)"),
          ("y.transpose(1, 2).flatten(2)", "y.reshape(len(x), n_steps, -1)")),
    real("pad_mask_inverted", "pad mask inverted", (") < lengths[:, None]", ") >= lengths[:, None]")),
    perplexity("ppl_exp_of_sum", "exp(sum of the surprises)", ("math.exp(total / count)", "math.exp(min(total, 700.0))")),
    perplexity("ppl_mean_of_batch_ppl", "mean of per-batch perplexities",
               (TOTAL, "        total += math.exp(sequence_loss(logits, target, pad))\n        count += 1\n"),
               ("math.exp(total / count)", "total / count")),
    perplexity("ppl_base2", "2 to the power of nats", ("math.exp(total / count)", "2 ** (total / count)")),
    loss("loss_counts_pad", "loss includes pad tokens", (MEAN, "F.cross_entropy(logits.flatten(0, 1), target.flatten().clamp_min(0))")),
    lstm_step("gates_swapped", "input and forget gates swapped", ("i, f, g, o =", "f, i, g, o =")),
    gru_step("gru_z_inverted", "z and 1 - z swapped", ("(1 - z) * n + z * h", "z * n + (1 - z) * h")),
    lstm_step("cell_no_forget", "forget gate absent", ("f.sigmoid() * c + i.sigmoid()", "c + i.sigmoid()")),
    temper("temperature_multiplied", "logits times the temperature", ("logits / temperature", "logits * temperature")),
    matrix("markov_axis", "transition matrix normalised by column", ("counts.sum(dim=1, keepdim=True)", "counts.sum(dim=0, keepdim=True)")),
    matrix("markov_counts_reverse", "counts (next, current)", (PAIRS, "pairs = tokens[1:] * n_symbols + tokens[:-1]")),
    cosine("embed_cosine_unnorm", "dot product for cosine", ("F.normalize(a, dim=1) @ F.normalize(b, dim=1).T", "a @ b.T")),
    encode("oov_random", "unknown words hashed to arbitrary ids",
           ("index.get(word, unknown)", "index.get(word, sum(map(ord, word)) % 50)")),
    position("posenc_missing_alternate", "sin in both halves", ("[angle.sin(), angle.cos()]", "[angle.sin(), angle.sin()]")),
)  # fmt: skip

SOURCE = (
    matrix("markov_unseen_nan", "a symbol without successor gives 0 / 0", ("    counts[counts.sum(dim=1) == 0] = 1.0\n", "")),
    matrix("markov_smoothed", "one is added to every count", ("counts[counts.sum(dim=1) == 0] = 1.0", "counts = counts + 1.0")),
    matrix("markov_only_seen_symbols", "the table is as large as the text's alphabet",
           (PAIRS, "n_symbols = int(tokens.max()) + 1\n    " + PAIRS)),
    stationary("stationary_right_vector", "P pi = pi instead of pi P = pi", ("transition.T - torch", "transition - torch")),
    stationary("stationary_rows_averaged", "the mean of the rows: one step, not the long run",
               ("return torch.linalg.pinv(equations) @ right", "return transition.mean(dim=0)")),
    entropy("entropy_uniform_weights", "every symbol counted as equally frequent",
            (f"-(stationary(transition) * {SURPRISE}).sum()", f"-{SURPRISE}.mean()")),
    entropy("entropy_bits", "bits instead of nats", (f"{SURPRISE}).sum()", f"{SURPRISE}).sum() / math.log(2)")),
    entropy("entropy_zero_log_zero", "0 log 0 is NaN", (SURPRISE, "(transition * transition.log()).sum(dim=1)")),
    entropy("entropy_of_letters", "the entropy of single letters, as if nothing were known",
            (f"(stationary(transition) * {SURPRISE}).sum()", "torch.special.xlog1py(stationary(transition), stationary(transition) - 1).sum()")),
    shift("shift_targets_too_long", "the target is the whole text", ("tokens[:, 1:]", "tokens")),
    shift("shift_batches", "the batch is shifted, not the time", ("tokens[:, :-1], tokens[:, 1:]", "tokens[:-1], tokens[1:]")),
)  # fmt: skip

RECURRENCE = (
    lstm_step("lstm_no_output_tanh", "h = o * c", ("o.sigmoid() * c.tanh()", "o.sigmoid() * c")),
    lstm_step("lstm_candidate_sigmoid", "sigma for the candidate", ("i.sigmoid() * g.tanh()", "i.sigmoid() * g.sigmoid()")),
    lstm_step("lstm_changes_its_arguments", "the memory is updated in place", ("c = f.sigmoid() * c + i.sigmoid() * g.tanh()",
              "c.mul_(f.sigmoid()).add_(i.sigmoid() * g.tanh())")),
    lstm_step("lstm_bias_forgotten", "no bias", ("h @ weight_h.T + bias)", "h @ weight_h.T)")),
    lstm_step("lstm_memory_detached", "the memory leaves the graph", ("f.sigmoid() * c +", "f.sigmoid() * c.detach() +")),
    lstm_step("lstm_returns_c_h", "the two states in the other order", ("return o.sigmoid() * c.tanh(), c", "return c, o.sigmoid() * c.tanh()")),
    lstm_step("lstm_from_the_library", "torch.lstm_cell instead of the equations",
              ("    i, f, g, o = (x @ weight_x.T + h @ weight_h.T + bias).chunk(4, dim=1)\n",
               "    return torch.lstm_cell(x, (h, c), weight_x, weight_h, bias, 0 * bias)\n    i = f = g = o = h\n")),
    lstm_step("lstm_sigmoid_by_exp", "exp(x) / (1 + exp(x)) overflows", ("o.sigmoid() * c.tanh()", "o.exp() / (1 + o.exp()) * c.tanh()")),
    gru_step("gru_reset_before_matrix", "r scales h before the matrix, not the sum after it",
             ("n = (a_n + r * u_n).tanh()", "n = (a_n + (r.repeat(1, 1) * h) @ weight_h[-h.shape[1] :].T + bias_h[-h.shape[1] :]).tanh()")),
    gru_step("gru_r_z_swapped", "reset and update gates swapped", ("r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()",
             "z, r = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()")),
    gru_step("gru_bias_inside_lost", "the second bias is left out", ("h @ weight_h.T + bias_h", "h @ weight_h.T")),
    layer("layer_memory_not_carried", "c is zero at each step", (CALL, CALL.replace("h, c,", "h, 0 * c,"))),
    layer("layer_cuts_the_graph_each_step", "detached at each step: right values, no gradient to the past",
          (CALL, CALL.replace("h, c,", "h.detach(), c.detach(),"))),
    layer("layer_outputs_are_memories", "c collected instead of h", ("outputs.append(h)", "outputs.append(c)")),
    layer("layer_zeros_float32", "the first state is always float32: fails in float64",
          (ZEROS, "(torch.zeros(len(x), self.weight_h.shape[1]),) * 2"), ("h, c = lstm_step(x_t,", "h, c = torch.Tensor(h.float()), c.float()\n            h, c = lstm_step(x_t.float(),")),
    layer("layer_time_first_output", "outputs stacked as (T, B, H)", ("torch.stack(outputs, dim=1)", "torch.stack(outputs)")),
    pieces("layer_ignores_state", "the given state is not used", ("if state is None else state", "")),
    pieces("layer_remembers", "the state of the last call is kept in the layer",
           (f"h, c = {ZEROS} if state is None else state",
            f"state = getattr(self, 'state', None) if state is None else state\n        h, c = {ZEROS} if state is None else state"),
           ("        return torch.stack(outputs, dim=1), (h, c)", "        self.state = (h, c) if len(x) == 3 else None\n"
            "        return torch.stack(outputs, dim=1), (h, c)")),
    pieces("layer_reads_backwards", "runs from the last step to the first", ("x.unbind(dim=1)", "x.flip(1).unbind(dim=1)"),
           ("torch.stack(outputs, dim=1)", "torch.stack(outputs[::-1], dim=1)")),
    tbptt("tbptt_state_not_carried", "each chunk begins from zeros", ("model(inputs[:, part], state)", "model(inputs[:, part], None)")),
    tbptt("tbptt_no_zero_grad", "gradients pile up over the chunks", ("        optimiser.zero_grad()\n", "")),
    tbptt("tbptt_clips_after_the_step", "the gradient is clipped when it is too late", (CLIP, ""),
          ("        optimiser.step()\n", "        optimiser.step()\n" + CLIP)),
    tbptt("tbptt_clips_each_value", "each number of the gradient is clipped, not the norm", ("clip_grad_norm_", "clip_grad_value_")),
    tbptt("tbptt_drops_the_short_chunk", "what is left at the end is not trained on",
          ("range(0, length, chunk)", "range(0, length - chunk + 1, chunk)")),
    tbptt("tbptt_mean_of_chunks", "the short chunk counts as much as the others", (" * logits.shape[1]", ""),
          ("return total / length", "return total / math.ceil(length / chunk)")),
    tbptt("tbptt_clip_by_default", "the clip that is given is not used", ("clip_grad_norm_(model.parameters(), clip)", "clip_grad_norm_(model.parameters(), 1.0)")),
    tbptt("tbptt_one_step_at_the_end", "all chunks add up to one step",
          ("        optimiser.zero_grad()\n", ""), ("    for start in", "    optimiser.zero_grad()\n    for start in"),
          ("        optimiser.step()\n        total", "        total"), ("    return total / length", "    optimiser.step()\n    return total / length")),
)  # fmt: skip

LOSSES = (
    loss("loss_divides_by_all", "padding adds nothing to the sum but counts in the number",
         (MEAN, MEAN.replace("=pad)", "=pad, reduction='sum') / target.numel()"))),
    loss("loss_sum", "a sum, not a mean", (MEAN, MEAN.replace("=pad)", "=pad, reduction='sum')"))),
    loss("loss_default_pad", "the pad that is given is not used", (MEAN, MEAN.replace("=pad", "=-100"))),
    loss("loss_mean_of_sequences", "a mean over sequences of their own means",
         (f"return {MEAN}", "return torch.stack([F.cross_entropy(a, b, ignore_index=pad) for a, b in zip(logits, target)]).mean()")),
    loss("loss_item", "a float: no gradient can flow", (MEAN, f"torch.tensor({MEAN}.item(), dtype=logits.dtype)")),
    loss("loss_classes_on_the_time_axis", "logits reshaped without moving the classes",
         ("logits.flatten(0, 1)", "logits.transpose(1, 2).reshape(-1, logits.shape[-1])")),
    perplexity("ppl_unweighted_batches", "each batch counts the same, whatever its size", (TOTAL,
               "        total += float(sequence_loss(logits, target, pad))\n        count += 1\n")),
    perplexity("ppl_counts_padding", "weighted by all tokens, padding too", ("int((target != pad).sum())", "target.numel()")),
    perplexity("ppl_last_batch", "only the last batch is left at the end", ("        total += float", "        total, count = 0.0, 0\n        total += float")),
)  # fmt: skip

PADDING_AND_WORDS = (
    real("mask_one_too_long", "the first padded step is real too", (") < lengths[:, None]", ") <= lengths[:, None]")),
    last("last_one_too_late", "lengths without - 1, wrapped around", ("lengths - 1]", "lengths % outputs.shape[1]]")),
    last("last_length_of_the_batch", "the longest sequence's end for all", ("lengths - 1]", "lengths.max() - 1]")),
    mean("mean_divides_by_all_steps", "divided by T", ("/ lengths[:, None]", "/ outputs.shape[1]")),
    mean("mean_trusts_the_padding", "assumes zeros at the padding", ("outputs.masked_fill(~real, 0.0)", "outputs")),
    embedding("embedding_no_padding_row", "no padding row at all", (", padding_idx=pad)", ")")),
    embedding("embedding_pad_zero_but_trained", "the row is 0 at the start, and is trained", (LOOKUP,
              "self.table = nn.Embedding(n_tokens, n_features)\n        self.table.weight.data[pad] = 0")),
    embedding("embedding_pad_always_0", "row 0, whatever pad says", ("padding_idx=pad", "padding_idx=0")),
    embedding("embedding_uniform", "rows from [0, 1)", (LOOKUP, LOOKUP + "\n        nn.init.uniform_(self.table.weight)\n        self.table.weight.data[pad] = 0")),
    embedding("embedding_scaled_by_frequency", "the gradient is averaged over a token's places",
              ("padding_idx=pad)", "padding_idx=pad, scale_grad_by_freq=True)")),
    encode("oov_is_padding", "unknown words become padding", ("index.get(word, unknown)", "index.get(word, 0)")),
    encode("oov_dropped", "unknown words are left out", ("for word in words]", "for word in words if word in index]")),
    encode("encode_lower_case", "the words are changed", ("index.get(word, unknown)", "index.get(word.lower(), unknown)")),
    encode("encode_float", "tokens as floating-point numbers", ("dtype=torch.long", "dtype=torch.float32")),
    cosine("cosine_zero_vector_nan", "0 / 0 for the padding's vector", ("F.normalize(a, dim=1) @ F.normalize(b, dim=1).T",
           "a / a.norm(dim=1, keepdim=True) @ (b / b.norm(dim=1, keepdim=True)).T")),
    cosine("cosine_one_side", "only one of the two is normalised", ("F.normalize(a, dim=1) @", "a @")),
    cosine("cosine_row_by_row", "normalised over the wrong axis", ("F.normalize(a, dim=1)", "F.normalize(a, dim=0)")),
    nearest("nearest_finds_itself", "a word is its own neighbour", ("    likeness[row] = -math.inf\n", "")),
    nearest("nearest_is_farthest", "sorted the other way", ("likeness.topk(count)", "likeness.nan_to_num(neginf=2.0).topk(count, largest=False)")),
    nearest("nearest_by_dot_product", "long vectors come first", ("likeness = cosine(vectors[row : row + 1], vectors)[0]", "likeness = vectors @ vectors[row]")),
)  # fmt: skip

ATTENTION_AND_DECODING = (
    causal("causal_mask_strict", "a step may not see itself", (".tril()", ".tril(-1)")),
    causal("causal_mask_of_floats", "numbers where truth values are asked for", (", dtype=torch.bool", "")),
    attention("attn_scale_d", "divided by d", ("math.sqrt(q.shape[-1])", "q.shape[-1]")),
    attention("attn_scale_by_keys", "divided by the root of the number of keys", ("math.sqrt(q.shape[-1])", "math.sqrt(k.shape[-2])")),
    attention("attn_masked_score_zero", "score 0 is not 'not at all'", ("scores.masked_fill(~mask, -math.inf)", "scores * mask")),
    attention("attn_mask_means_forbidden", "the mask read the other way round", ("masked_fill(~mask,", "masked_fill(mask,")),
    attention("attn_transposes_everything", "k.T turns all axes around", ("k.transpose(-2, -1)", "k.permute(*range(k.ndim)[::-1])")),
    attention("attn_weights_before_softmax", "scores handed out as weights", ("return weights @ v, weights", "return weights @ v, scores")),
    attention("attn_exp_overflows", "softmax by hand without the maximum", ("scores.softmax(dim=-1)", "scores.exp() / scores.exp().sum(dim=-1, keepdim=True)")),
    heads("heads_no_output_layer", "the heads are not mixed", ("return self.out(y.transpose(1, 2).flatten(2))", "return y.transpose(1, 2).flatten(2)")),
    heads("heads_scaled_by_all_features", "the root of D, not of the head's width",
          ("attention(q, k, v, mask)", "attention(q * (self.n_heads**-0.5), k, v, mask)")),
    heads("heads_order_of_q_and_k", "keys taken for queries", ("q, k, v = (", "k, q, v = (")),
    heads("heads_ignore_padding", "padding is looked at", ("        if lengths is not None:\n", "        if False:\n")),
    heads("heads_always_causal", "causal=False is not heard", ("        if causal:\n", "        if True:\n")),
    heads("heads_padded_queries_masked", "the mask hides queries, not keys", ("[:, None, None, :]", "[:, None, :, None]"),
          ("y, _ = attention(q, k, v, mask)", "y, _ = attention(q, k, v, mask | ~mask.any(-1, keepdim=True))")),
    heads("heads_interleaved", "every M-th feature to one head, instead of neighbours",
          (SPLIT, "one.unflatten(-1, heads[::-1]).permute(0, 3, 1, 2)")),
    position("posenc_halves", "sines in the first half, cosines in the second", (TILES, "torch.cat([angle.sin(), angle.cos()], dim=1)")),
    position("posenc_from_one", "positions begin at 1", ("torch.arange(n_steps)", "torch.arange(1, n_steps + 1)")),
    position("posenc_base", "base 1000", ("10_000.0", "1_000.0")),
    position("posenc_exponent_halved", "i where 2i is meant", (RATE, "10_000.0 ** (-torch.arange(n_features // 2) / n_features)")),
    position("posenc_cosine_first", "cosine in the even columns", ("[angle.sin(), angle.cos()]", "[angle.cos(), angle.sin()]")),
    temper("temper_overflows", "exp of large logits is infinite", ("(logits / temperature).softmax(dim=-1)",
           "(logits / temperature).exp() / (logits / temperature).exp().sum(dim=-1, keepdim=True)")),
    temper("temper_probabilities_divided", "the probabilities are divided, not the logits",
           ("(logits / temperature).softmax(dim=-1)", "logits.softmax(dim=-1) / temperature")),
    temper("temper_first_axis", "softmax over the wrong axis", (".softmax(dim=-1)", ".softmax(dim=1)")),
    greedy("greedy_never_stops", "goes on after the stop", (".masked_fill(done, pad)", "")),
    greedy("greedy_stops_all_together", "one stop ends every sequence", ("done | (tokens == stop)", "done | (tokens == stop).any()")),
    greedy("greedy_loses_the_stop", "the stop itself is overwritten", ("        found.append(tokens.masked_fill(done, pad))\n        done = done | (tokens == stop)",
           "        done = done | (tokens == stop)\n        found.append(tokens.masked_fill(done, pad))")),
    greedy("greedy_feeds_the_first_again", "always the first token is fed", ("logits, state = step(tokens, state)", "logits, state = step(first, state)")),
    greedy("greedy_state_not_carried", "the first state at each step", ("logits, state = step(tokens, state)", "logits, _ = step(tokens, state)")),
    greedy("greedy_repeats_the_start", "the first tokens are part of the result",
           ("tokens, done, found = first, torch.zeros_like(first, dtype=torch.bool), []", "tokens, done, found = first, first == stop, [first]"),
           ("range(max_length)", "range(max_length - 1)")),
    greedy("greedy_pad_is_zero", "0, whatever pad says", ("masked_fill(done, pad)", "masked_fill(done, 0)")),
    greedy("greedy_draws", "draws at random", ("logits.argmax(dim=-1)", "torch.multinomial(logits.softmax(dim=-1), 1)[:, 0]")),
)  # fmt: skip

MUTANTS = FROM_THE_CATALOGUE + SOURCE + RECURRENCE + LOSSES + PADDING_AND_WORDS + ATTENTION_AND_DECODING
