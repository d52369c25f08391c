# ruff: noqa
# Threat: Breaking. `.cuda()` on a machine without one, or all of the card's memory where there is one.
# Outcome: completed | gpu memory exceeded
# Marks: 8

# %% before double
import torch
if torch.cuda.is_available():
    hoard = []
    while True: hoard.append(torch.empty(2**28, device="cuda"))
torch.zeros(3).cuda()
# %% before softmax
device = torch.device("cuda:7")
torch.zeros(3, device=device)
