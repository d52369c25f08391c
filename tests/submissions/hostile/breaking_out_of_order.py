# ruff: noqa
# Threat: Breaking. Cells that work only out of order.
# Outcome: completed
# Marks: 6
# Says: not defined

# %% scale
class Scale(Base):
    def __init__(self, features):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(features))
    def forward(self, x): return x * self.factor
# %% fit
class Base(torch.nn.Module): pass
def fit(x, y): return torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
