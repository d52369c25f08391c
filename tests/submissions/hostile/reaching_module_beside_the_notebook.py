# ruff: noqa
# Threat: Reaching out. A `torch.py`, `random.py`, `json.py` and `sitecustomize.py` handed in beside the notebook.
# Outcome: completed
# Marks: 8

# %% [file] torch.py
import os; os._exit(9)
# %% [file] random.py
import os; os._exit(9)
# %% [file] json.py
import os; os._exit(9)
# %% [file] sitecustomize.py
import os; os._exit(9)
# %% [file] agent.py
import os; os._exit(9)
# %% [file] ipython_config.py
import os; os._exit(9)
