# ruff: noqa
# Threat: Breaking. Magics that reset, time, debug and run scripts: what students do by accident.
# Outcome: completed
# Marks: 1

# %% before tally
get_ipython().run_line_magic("reset", "-f")
# %% before softmax
get_ipython().run_cell_magic("bash", "", "exit 3")
# %%
get_ipython().system("cat /dev/zero | head -c 1000000 | wc -c")
get_ipython().run_line_magic("pdb", "on")
1 / 0
