# ruff: noqa
# Threat: Breaking. Output, names, files and sources that are not UTF-8.
# Outcome: completed
# Marks: 8

# %% before double
import os, sys
os.write(1, bytes(range(256)))
print("\ud800 \udfff \0 \uffff \ufffe")
sys.stdout.write("\udc80\n")
open(b"/tmp/planted-\xff\xfe", "w").close()
os.listdir(b"/tmp"), "\ud83d"
# %% before tally
raise ValueError("\udcff\0")
# %% [build]
def build(notebook, files):
    notebook["cells"].append({"cell_type": "code", "source": "x = '\ud800'  # \udfff \x00", "metadata": {}, "outputs": []})
    notebook["cells"].append({"cell_type": "markdown", "source": "\ud83d \x07 \x1b[31m", "metadata": {}})
