# ruff: noqa
# Threat: Breaking. The kernel's zmq context ended, its threads' loops stopped.
# Outcome: completed | process ended | wall time exceeded
# Marks: 8
# Limits: cell_wall_seconds=1

# %% before double
kernel = get_ipython().kernel
kernel.iopub_thread.io_loop.add_callback(kernel.iopub_thread.io_loop.stop)
kernel.control_thread.io_loop.add_callback(kernel.control_thread.io_loop.stop)
import zmq
kernel.shell_stream.close()
