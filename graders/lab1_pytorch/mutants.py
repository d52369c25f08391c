"""Wrong answers to lab 1, as students write them."""

from assessor.grading.mutation import Mutant

MUTANTS = (
    Mutant("softmax_dim0", "softmax over the batch dimension", "softmax", """
def softmax(logits):
    e = (logits - logits.max()).exp()
    return e / e.sum(dim=0, keepdim=True)
""", ("test_softmax",)),
    Mutant("softmax_no_shift", "no maximum subtracted: overflows", "softmax", """
def softmax(logits):
    e = logits.exp()
    return e / e.sum(dim=1, keepdim=True)
""", ("test_softmax_extreme",)),
    Mutant("softmax_global_shift", "one maximum for the whole batch: rows far below it underflow to 0/0", "softmax", """
def softmax(logits):
    e = (logits - logits.max()).exp()
    return e / e.sum(dim=1, keepdim=True)
""", ("test_softmax_extreme",)),
    Mutant("softmax_float32", "result cast to float32", "softmax", """
def softmax(logits):
    return torch.softmax(logits.float(), dim=1)
""", ("test_softmax", "test_softmax_extreme")),
    Mutant("softmax_log", "log-probabilities returned", "softmax", """
def softmax(logits):
    return torch.log_softmax(logits, dim=1)
""", ("test_softmax",)),
    Mutant("linreg_grad_sign", "gradient's sign flipped", "linreg_grad", """
def linreg_grad(theta, x, y):
    return x.T @ (y.reshape(-1) - x @ theta)
""", ("test_linreg_grad", "test_finite_differences")),
    Mutant("linreg_grad_mean", "mean instead of sum", "linreg_grad", """
def linreg_grad(theta, x, y):
    return x.T @ (x @ theta - y.reshape(-1)) / len(x)
""", ("test_linreg_grad",)),
    Mutant("linreg_grad_twice", "the factor one half forgotten", "linreg_grad", """
def linreg_grad(theta, x, y):
    return 2 * x.T @ (x @ theta - y.reshape(-1))
""", ("test_linreg_grad",)),
    Mutant("bcast_N1_minus_N", "(N,) - (N, 1) broadcasts to (N, N)", "linreg_grad", """
def linreg_grad(theta, x, y):
    return (x * (x @ theta - y).reshape(len(x), -1).mean(dim=1, keepdim=True)).sum(dim=0)
""", ("test_linreg_grad",)),
    Mutant("mutates_input", "an argument changed in place", "linreg_grad", """
def linreg_grad(theta, x, y):
    y = y.reshape(-1)
    y -= x @ theta
    return -x.T @ y
""", ("test_arguments_are_left_alone",)),
    Mutant("forces_float32", "result cast to float32", "linreg_grad", """
def linreg_grad(theta, x, y):
    return (x.T @ (x @ theta - y.reshape(-1))).float()
""", ("test_linreg_grad",)),
    Mutant("logreg_no_sigmoid", "x theta - y instead of sigmoid(x theta) - y", "logreg_grad", """
def logreg_grad(theta, x, y):
    return x.T @ (x @ theta - y)
""", ("test_logreg_grad",)),
    Mutant("logreg_mean", "mean instead of sum", "logreg_grad", """
def logreg_grad(theta, x, y):
    return x.T @ (torch.sigmoid(x @ theta) - y) / len(x)
""", ("test_logreg_grad",)),
    Mutant("logreg_minus_one_labels", "labels taken for -1 and 1", "logreg_grad", """
def logreg_grad(theta, x, y):
    return x.T @ (torch.sigmoid(x @ theta) - (2 * y - 1))
""", ("test_logreg_grad",)),
    Mutant("softmax_label_shift", "labels counted from 1", "softreg_grad", """
def softreg_grad(theta, x, labels):
    target = torch.zeros(x.shape[0], theta.shape[1], dtype=theta.dtype)
    target[torch.arange(x.shape[0]), (labels - 1) % theta.shape[1]] = 1
    return x.T @ (softmax(x @ theta) - target)
""", ("test_softreg_grad",)),
    Mutant("softreg_float32_target", "the target's dtype is the default one, and decides", "softreg_grad", """
def softreg_grad(theta, x, labels):
    target = torch.nn.functional.one_hot(labels, theta.shape[1])
    return (x.T @ (softmax(x @ theta) - target)).float()
""", ("test_softreg_grad",)),
    Mutant("softreg_binary", "sigmoid for each class instead of softmax", "softreg_grad", """
def softreg_grad(theta, x, labels):
    target = torch.nn.functional.one_hot(labels, theta.shape[1]).to(theta.dtype)
    return x.T @ (torch.sigmoid(x @ theta) - target)
""", ("test_softreg_grad",)),
    Mutant("svd_V_not_Vh", "V used where V transposed is returned", "pinv", """
def pinv(x, tau=1e-5):
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    keep = s > tau * s.max()
    inverse = torch.where(keep, 1 / s, torch.zeros_like(s))
    if v.shape[0] != v.shape[1]:
        v = v.T
    return v @ (inverse[:, None] * u.T)
""", ("test_pinv",)),
    Mutant("svd_no_cutoff", "singular values inverted without a cut-off", "pinv", """
def pinv(x, tau=1e-5):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return vh.T @ ((1 / s)[:, None] * u.T)
""", ("test_pinv_rank_deficient",)),
    Mutant("pinv_normal_equations", "normal equations: fail when wide or rank-deficient", "pinv", """
def pinv(x, tau=1e-5):
    return torch.linalg.inv(x.T @ x) @ x.T
""", ("test_pinv", "test_pinv_rank_deficient")),
    Mutant("svd_trunc_zeroes_first", "the largest singular values removed", "truncated_svd", """
def truncated_svd(a, rank):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    s = s.clone()
    s[: len(s) - rank] = 0
    return (u * s) @ vh
""", ("test_truncated_svd",)),
    Mutant("svd_one_less", "one singular value too few", "truncated_svd", """
def truncated_svd(a, rank):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return (u[:, : rank - 1] * s[: rank - 1]) @ vh[: rank - 1]
""", ("test_truncated_svd",)),
    Mutant("mask_ignored", "trains on hidden entries too", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    u, v = torch.rand(a.shape[0], rank, dtype=a.dtype), torch.rand(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        for r in range(a.shape[0]):
            for c in range(a.shape[1]):
                e = (a[r, c] - u[r] @ v[c]).clamp(-60, 60)
                u[r] = (u[r] + lr * e * v[c]).clamp(-9, 9)
                v[c] = (v[c] + lr * e * u[r]).clamp(-9, 9)
    return u, v
""", ("test_factorise_ignores_unknown",)),
    Mutant("init_normal", "starts from N(0, 1) where U(0, 1) is specified", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    u, v = torch.randn(a.shape[0], rank, dtype=a.dtype), torch.randn(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e = a[r, c] - u[r] @ v[c]
            u[r] = u[r] + lr * e * v[c]
            v[c] = v[c] + lr * e * u[r]
    return u, v
""", ("test_factorise_start",)),
    Mutant("factorise_seeded", "always the same start", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    torch.manual_seed(0)
    u, v = torch.rand(a.shape[0], rank, dtype=a.dtype), torch.rand(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e = a[r, c] - u[r] @ v[c]
            u[r] = u[r] + lr * e * v[c]
            v[c] = v[c] + lr * e * u[r]
    return u, v
""", ("test_factorise_start",)),
    Mutant("factorise_batch", "all entries at once instead of one after the other", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    u, v = torch.rand(a.shape[0], rank, dtype=a.dtype), torch.rand(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        e = torch.where(mask.bool(), a - u @ v.T, torch.zeros_like(a))
        u, v = u + lr * e @ v, v + lr * e.T @ u
    return u, v
""", ("test_factorise_steps",)),
    Mutant("factorise_error_sign", "uphill", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    u, v = torch.rand(a.shape[0], rank, dtype=a.dtype), torch.rand(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e = (u[r] @ v[c] - a[r, c]).clamp(-9, 9)
            u[r] = (u[r] + lr * e * v[c]).clamp(-9, 9)
            v[c] = (v[c] + lr * e * u[r]).clamp(-9, 9)
    return u, v
""", ("test_factorise_steps",)),
    Mutant("factorise_one_epoch", "returns after the first epoch", "factorise", """
def factorise(a, mask, rank, epochs=200, lr=0.05):
    u, v = torch.rand(a.shape[0], rank, dtype=a.dtype), torch.rand(a.shape[1], rank, dtype=a.dtype)
    for _ in range(epochs):
        for r, c in mask.nonzero().tolist():
            e = a[r, c] - u[r] @ v[c]
            u[r] = u[r] + lr * e * v[c]
            v[c] = v[c] + lr * e * u[r]
        return u, v
    return u, v
""", ("test_factorise_steps", "test_factorise_fits")),
    Mutant("standardise_test_stats", "the test set standardised with its own statistics", "standardise", """
def standardise(train, test):
    return (train - train.mean(dim=0)) / train.std(dim=0), (test - test.mean(dim=0)) / test.std(dim=0)
""", ("test_standardise",)),
    Mutant("standardise_all_stats", "statistics of both sets together", "standardise", """
def standardise(train, test):
    both = torch.cat([train, test])
    return (train - both.mean(dim=0)) / both.std(dim=0), (test - both.mean(dim=0)) / both.std(dim=0)
""", ("test_standardise",)),
    Mutant("standardise_biased", "biased standard deviation", "standardise", """
def standardise(train, test):
    m, s = train.mean(dim=0), train.std(dim=0, unbiased=False)
    return (train - m) / s, (test - m) / s
""", ("test_standardise",)),
)  # fmt: skip
