# ruff: noqa
# Threat: Forging a mark. A kernel whose handler of execute_request replies `ok` to anything.
# Outcome: completed
# Marks: 1

# %% tally
kernel = get_ipython().kernel
async def execute(*a, **k): return {"status": "ok", "execution_count": 99, "payload": [], "user_expressions": {}}
kernel.do_execute = execute
