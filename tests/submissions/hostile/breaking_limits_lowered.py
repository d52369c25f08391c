# ruff: noqa
# Threat: Breaking. Its own limits lowered to nothing: files, processes, address space, CPU time.
# Outcome: completed | process ended
# Marks: 8

# %% before double
import resource
for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_STACK):
    resource.setrlimit(kind, (16, 16))
