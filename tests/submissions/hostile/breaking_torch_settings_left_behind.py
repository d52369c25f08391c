# ruff: noqa
# Threat: Breaking. `torch.set_default_dtype`, a default device, no gradients and inference mode left behind.
# Outcome: completed
# Marks: 8

# %%
import torch
torch.set_default_dtype(torch.float64)
torch.set_default_device("meta")
torch.set_grad_enabled(False)
torch.autograd.set_detect_anomaly(True)
torch.set_printoptions(precision=1, threshold=1)
torch.set_num_threads(4)
torch.use_deterministic_algorithms(False)
