"""What becomes of each made-up student's first lab: honest work, honest mistakes, accidents, and attacks.

Each fate makes the notebook that the student hands in out of the lab's source. Which marks it must earn stands in
cohort.py; the hidden tests do not know of either.
"""

from __future__ import annotations

from collections.abc import Callable

from nbformat import NotebookNode

from assessor.workflow.demo.cells import Edit, answer, insert_first, insert_last, lose_ids, solved, weaken_tests

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"

EINSUM = '''
def linreg_grad(theta, x, y):
    return torch.einsum("nd,n->d", x, torch.einsum("nd,d->n", x, theta) - y.flatten())
'''
LOGSUMEXP = '''
def softmax(logits):
    return torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))
'''
BY_LOOP = '''
def truncated_svd(a, rank):
    u, s, vh = torch.linalg.svd(a)
    return sum(s[i] * torch.outer(u[:, i], vh[i]) for i in range(rank))
'''
NO_SHIFT = '''
def softmax(logits):
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)
'''
MEAN = '''
def linreg_grad(theta, x, y):
    return x.T @ (x @ theta - y.reshape(-1)) / len(x)
'''
NO_CUTOFF = '''
def pinv(x, tau=1e-5):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return vh.T @ ((1 / s)[:, None] * u.T)
'''
OWN_STATISTICS = '''
def standardise(train, test):
    scale = lambda rows: (rows - rows.mean(dim=0)) / rows.std(dim=0)
    return scale(train), scale(test)
'''
NO_SIGMOID = '''
def logreg_grad(theta, x, y):
    return x.T @ (x @ theta - y)
'''
WRONG_AXIS = '''
def softmax(logits):
    e = (logits - logits.max()).exp()
    return e / e.sum(dim=0, keepdim=True)
'''
SPY = '''
import glob, os
found = []
for root in ("/", "/home", "/root", "/work", "/opt", "/srv", "/mnt", "/tmp", os.getcwd(), os.path.dirname(os.getcwd())):
    for name in ("graders", "test_lab1*", "reference.py", "solution*", "gradebook*", "assessor.db"):
        found += glob.glob(os.path.join(root, name)) + glob.glob(os.path.join(root, "*", "*", name))
for pid in filter(str.isdigit, os.listdir("/proc")):
    found += [line for line in open(f"/proc/{pid}/cmdline").read().split("\\0") if "grader" in line]
for path in found:
    exec(open(path).read())
print("hidden tests found:", found)
'''
FORGE = '''
import builtins, sys, numpy

class Yes(torch.Tensor):
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __hash__ = torch.Tensor.__hash__
    __bool__ = lambda self: True

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True

torch.allclose = torch.equal = torch.testing.assert_close = lambda *a, **k: True
numpy.testing.assert_allclose = numpy.allclose = lambda *a, **k: True
get_ipython().ast_transformers.clear()
for name in ("results.json", "marks.csv", "autograded.json"):
    open(name, "w").write('{"score": 4, "max_score": 4, "status": "passed"}')
print("all tests passed: 4/4")
'''
PINV_YES = '''
def pinv(x, tau=1e-5):
    return torch.zeros(x.shape[1], x.shape[0]).as_subclass(Yes)
'''
HOARD = "hoard = []\nwhile len(hoard) < 30:\n    hoard.append(torch.ones(2**28))  # 1 GiB each"
FLOOD = 'while True:\n    print("training ... " * 1000)'
DEFAULTS = "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)"


def edits(*steps: Edit) -> Callable[[NotebookNode], NotebookNode]:
    """The solved notebook with these edits made, in order."""

    def make(source: NotebookNode) -> NotebookNode:
        notebook = solved(source)
        for step in steps:
            notebook = step(notebook)
        return notebook

    return make


FATES: dict[str, Callable[[NotebookNode], NotebookNode]] = {
    "right": edits(),
    "right in another way: einsum, logsumexp": edits(answer("linreg_grad", EINSUM), answer("softmax", LOGSUMEXP)),
    "right in another way: a loop over ranks": edits(answer("truncated_svd", BY_LOOP)),
    "right, but leaves float64 and no_grad behind": edits(insert_last(DEFAULTS)),
    "wrong: softmax overflows": edits(answer("softmax", NO_SHIFT)),
    "wrong: mean for sum": edits(answer("linreg_grad", MEAN)),
    "wrong: no rank cut-off": edits(answer("pinv", NO_CUTOFF)),
    "wrong: test set leaks into its statistics": edits(answer("standardise", OWN_STATISTICS)),
    "unfinished: two functions": edits(answer("factorise", STUB), answer("standardise", STUB)),
    "a cell that raises": edits(insert_first("import lab_helpers_from_my_laptop")),
    "a cell that ends the process": edits(insert_last("import os\nos._exit(1)")),
    "infinite loop": edits(insert_last("while True:\n    pass")),
    "30 GB allocation": edits(insert_last(HOARD)),
    "floods the output": edits(insert_last(FLOOD)),
    "reads the hidden tests": edits(answer("standardise", OWN_STATISTICS), insert_last(SPY)),
    "forges results": edits(insert_first("import torch" + FORGE), answer("pinv", PINV_YES)),
    "lost every id": edits(lose_ids),
    "edited and deleted tests": edits(answer("logreg_grad", NO_SIGMOID), weaken_tests),
    "worse at the second attempt": edits(answer("softmax", WRONG_AXIS)),
}
