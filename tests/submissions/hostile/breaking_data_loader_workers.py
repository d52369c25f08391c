# ruff: noqa
# Threat: Breaking. DataLoader workers, a process pool and torch.multiprocessing, left running.
# Outcome: completed
# Marks: 8

# %% before double
import multiprocessing, torch
from torch.utils.data import DataLoader, TensorDataset
loader = DataLoader(TensorDataset(torch.arange(12.0)), batch_size=3, num_workers=2, persistent_workers=True)
assert sum(float(batch.sum()) for (batch,) in loader) == 66
pool = multiprocessing.get_context("fork").Pool(2)
assert pool.map(abs, [-1, -2]) == [1, 2]
# %% double
kept = iter(loader)
def double(x): return 2 * x
