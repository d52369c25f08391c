"""Wrong answers to lab 2, as students write them: small changes of the solution, or whole functions."""

from pathlib import Path

from assessor.grading.mutation import Mutant, edited, solution

NOTEBOOK = Path(__file__).parents[2] / "assignments" / "lab2_autodiff" / "lab2_autodiff.ipynb"
DUAL, VAR, DESCEND, SWISH, JACOBIAN, MOMENT = (
    solution(NOTEBOOK, cell) for cell in ("dual", "var", "descend", "swish", "jacobian", "reparam")
)
PRODUCTS, QUOTIENTS, NUMBERS, FUNCTIONS = (
    ("test_dual_products",), ("test_dual_quotients",), ("test_dual_plain_numbers",), ("test_dual_functions",)
)  # fmt: skip


def dual(name, bug, killed_by, *changes):
    return Mutant(name, bug, "dual", edited(DUAL, *changes), killed_by)


def var(name, bug, killed_by, *changes):
    return Mutant(name, bug, "var", edited(VAR, *changes), killed_by)


def descend(name, bug, killed_by, *changes):
    return Mutant(name, bug, "descend", edited(DESCEND, *changes), killed_by)


MUTANTS = (
    dual("dual_mul_no_product_rule", "(ab)' = a'b'", PRODUCTS,
         ("self.real * other.dual + self.dual * other.real", "self.dual * other.dual")),
    dual("dual_cos_sign", "cos' = +sin", FUNCTIONS, ("-self.dual * math.sin", "self.dual * math.sin")),
    dual("dual_tan_cos1", "tan' = 1 / cos", FUNCTIONS, ("math.cos(self.real) ** 2", "math.cos(self.real)")),
    dual("dual_rmul_missing", "2 * x fails", NUMBERS, ("    __rmul__ = __mul__\n", "")),
    dual("dual_div_sign", "quotient rule with a plus", QUOTIENTS,
         ("self.dual * other.real - self.real * other.dual", "self.dual * other.real + self.real * other.dual")),
    dual("dual_div_no_square", "quotient not divided by the square", QUOTIENTS, ("/ other.real**2", "/ other.real")),
    dual("dual_no_chain", "exp' without the inner derivative", FUNCTIONS,
         ("self.dual * math.exp(self.real)", "math.exp(self.real)")),
    dual("dual_sub_adds", "the derivative of a difference added", QUOTIENTS,
         ("        return self + -Dual._of(other)",
          "        other = Dual._of(other)\n        return Dual(self.real - other.real, self.dual + other.dual)")),
    dual("dual_rsub_swapped", "1 - x computed as x - 1", NUMBERS, ("return Dual._of(other) + -self", "return self - other")),
    dual("dual_in_place", "addition changes its left operand", (*PRODUCTS, *QUOTIENTS, *NUMBERS),
         ("        return Dual(self.real + other.real, self.dual + other.dual)",
          "        self.real += other.real\n        self.dual += other.dual\n        return self")),
    var("rev_mul_weights_swapped", "d(xy)/dx stored as x", ("test_var_gradients",),
        ("[(self, other.value), (other, self.value)]", "[(self, self.value), (other, other.value)]")),
    var("rev_overwrite_children", "a variable that is used again keeps only the last contribution", ("test_var_used_again",),
        ("parent.grad += local * variable.grad", "parent.grad = local * variable.grad")),
    var("rev_no_seed", "the output's adjoint is not set to 1", ("test_var_gradients",), ("self.grad = 1.0", "pass")),
    var("rev_tan_wrong", "local derivative 1 + tan x", ("test_var_gradients",),
        ("1 + math.tan(self.value) ** 2", "1 + math.tan(self.value)")),
    var("rev_recursive_twice", "contributions sent on before all have come in", ("test_var_used_again",),
        ("for variable in reversed(self._order(set(), [])):", "for variable in self._order(set(), []):")),
    var("rev_one_level", "only the direct parents get a gradient", ("test_var_used_again", "test_var_gradients"),
        ("for variable in reversed(self._order(set(), [])):", "for variable in [self]:")),
    descend("ad_ascent", "walks uphill", ("test_descend",), ("u -= lr", "u += lr"), ("v -= lr", "v += lr")),
    descend("ad_detach_U", "u detached in the loss: never updated", ("test_descend",),
            ("grad_u, grad_v = torch.autograd.grad(loss, (u, v))",
             "grad_u, grad_v = torch.zeros_like(u), torch.autograd.grad(loss, v)[0]")),
    descend("ad_reduction_mean", "mean where a sum is specified", ("test_descend",), (".square().sum()", ".square().mean()")),
    descend("ad_returns_graph", "returned factors still require grad", ("test_descend_returns_no_graph",),
            ("return u.detach(), v.detach()", "return u, v")),
    descend("ad_changes_start", "the caller's u walks", ("test_descend_leaves_its_start",),
            ("u = u.detach().clone().requires_grad_()", "u = u.detach().requires_grad_()")),
    descend("ad_one_after_the_other", "v updated with the gradient at the new u", ("test_descend",),
            ("        grad_u, grad_v = torch.autograd.grad(loss, (u, v))", "        (grad_u,) = torch.autograd.grad(loss, u)"),
            ("            v -= lr * grad_v",
             "        (grad_v,) = torch.autograd.grad((a - u @ v.T).square().sum(), v)\n"
             "        with torch.no_grad():\n            v -= lr * grad_v")),
    descend("ad_float32", "works in float32", ("test_descend", "test_descend_returns_no_graph"),
            ("u = u.detach().clone()", "a = a.float()\n    u = u.detach().clone().float()"),
            ("v = v.detach().clone()", "v = v.detach().clone().float()")),
    Mutant("ad_no_zero_grad", "gradients pile up over the steps", "descend", """
def descend(a, u, v, steps, lr):
    u, v = u.clone().requires_grad_(), v.clone().requires_grad_()
    for _ in range(steps):
        (a - u @ v.T).square().sum().backward()
        with torch.no_grad():
            u -= lr * u.grad
            v -= lr * v.grad
    return u.detach(), v.detach()
""", ("test_descend",)),
    Mutant("ad_nontracked", ".data breaks the graph", "descend", """
def descend(a, u, v, steps, lr):
    u, v = u.clone().requires_grad_(), v.clone().requires_grad_()
    for _ in range(steps):
        loss = (a - u.data @ v.T).square().sum()
        loss.backward()
        with torch.no_grad():
            if u.grad is not None:
                u -= lr * u.grad
            v -= lr * v.grad
            v.grad = None
    return u.detach(), v.detach()
""", ("test_descend",)),
    Mutant("fn_ignores_upstream", "backward ignores grad_output", "swish",
           edited(SWISH, ("return grad_output * (s + x * s * (1 - s))", "return s + x * s * (1 - s)")), ("test_swish",)),
    Mutant("fn_saves_wrong", "the result is saved instead of the input", "swish",
           edited(SWISH, ("ctx.save_for_backward(x)", "ctx.save_for_backward(x * torch.sigmoid(x))")), ("test_swish",)),
    Mutant("fn_sigmoid_slope", "the slope of sigmoid alone", "swish",
           edited(SWISH, ("(s + x * s * (1 - s))", "(s * (1 - s))")), ("test_swish",)),
    Mutant("reparam_sample", ".sample(): no gradient passes through", "reparam", """
def second_moment_gradient(mu, sigma, samples):
    mu = torch.tensor(float(mu), requires_grad=True)
    sigma = torch.tensor(float(sigma), requires_grad=True)
    z = torch.distributions.Normal(mu, sigma).sample((samples,))
    (z.square().mean() + 0 * mu + 0 * sigma).backward()
    return mu.grad.item(), sigma.grad.item()
""", ("test_second_moment_gradient",)),
    Mutant("reparam_variance", "sigma taken for the variance", "reparam",
           edited(MOMENT, ("mu + sigma * torch", "mu + sigma.sqrt() * torch")), ("test_second_moment_gradient",)),
    Mutant("reparam_sum", "sum over the samples instead of their mean", "reparam",
           edited(MOMENT, ("z.square().mean()", "z.square().sum()")), ("test_second_moment_gradient",)),
    Mutant("jac_transposed", "the Jacobian transposed", "jacobian",
           edited(JACOBIAN, ("for out in y])", "for out in y]).T")), ("test_jacobian",)),
    Mutant("jac_no_tanh", "the slope of tanh forgotten", "jacobian", """
def jacobian(w, x):
    return w.clone()
""", ("test_jacobian",)),
)  # fmt: skip
