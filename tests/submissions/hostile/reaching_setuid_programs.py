# ruff: noqa
# Threat: Reaching out. Setuid programs, and set-user-id copies of its own.
# Outcome: completed
# Marks: 8

# %% before double
import os, shutil, subprocess
for command in (["su", "-c", "id"], ["sudo", "-n", "id"], ["pkexec", "id"], ["newgrp", "root"], ["mount", "-t", "tmpfs", "none", "/tmp"], ["unshare", "-Ur", "id"], ["bwrap", "--bind", "/", "/", "id"]):
    try: done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=2)
    except (OSError, subprocess.TimeoutExpired): continue
    if "uid=0" in done.stdout or (done.returncode == 0 and command[0] in ("mount", "bwrap")): print("reached:", command, done.stdout)
shutil.copy("/usr/bin/id", "/tmp/planted-id")
os.chmod("/tmp/planted-id", 0o6755)
found = subprocess.run(["/tmp/planted-id", "-u"], capture_output=True, text=True).stdout.strip()
for call in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(0, 0, 0), lambda: os.seteuid(65534)):
    try:
        call()
        print("reached: another user")
    except OSError: pass
if found in ("0", ""): print("reached: root", found)
