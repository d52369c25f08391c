# ruff: noqa
# Threat: Breaking. The event loop blocked by a callback, and tasks left behind.
# Outcome: completed | cpu time exceeded | wall time exceeded
# Marks: 0-8
# Limits: cell_wall_seconds=1

# %% before double
import asyncio, time
async def spin():
    for _ in range(10): time.sleep(0.2)
asyncio.get_event_loop().create_task(spin())
