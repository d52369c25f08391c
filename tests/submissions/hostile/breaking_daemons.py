# ruff: noqa
# Threat: Breaking. Daemons that outlive their cell: sessions of their own, ignoring every signal.
# Outcome: completed
# Marks: 8

# %% before double
import os, signal, subprocess, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 32):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            os.closerange(0, 200)
            while True: time.sleep(1)
        os._exit(0)
subprocess.Popen("trap '' TERM HUP INT; nohup setsid sleep 100000 &", shell=True)
get_ipython().system("sleep 100000 &")
