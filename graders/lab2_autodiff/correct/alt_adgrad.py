"""autograd.grad everywhere, a tape for reverse mode, derivatives from a table for forward mode."""

import math

import torch


class Dual:
    def __init__(self, real, dual=0.0):
        self.real, self.dual = real, dual

    def _lift(self, function, slope):
        return type(self)(function(self.real), slope(self.real) * self.dual)

    def _with(self, other, value, by_self, by_other):
        b = other if isinstance(other, Dual) else Dual(other, 0.0)
        return Dual(value(self.real, b.real), by_self(self.real, b.real) * self.dual + by_other(self.real, b.real) * b.dual)

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b, lambda a, b: 1, lambda a, b: 1)

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b, lambda a, b: 1, lambda a, b: -1)

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b, lambda a, b: b, lambda a, b: a)

    def __truediv__(self, other):
        return self._with(other, lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b**2)

    def __radd__(self, other):
        return Dual(other) + self

    def __rsub__(self, other):
        return Dual(other) - self

    def __rmul__(self, other):
        return Dual(other) * self

    def __rtruediv__(self, other):
        return Dual(other) / self

    def __neg__(self):
        return 0.0 - self

    def sin(self):
        return self._lift(math.sin, math.cos)

    def cos(self):
        return self._lift(math.cos, lambda a: -math.sin(a))

    def tan(self):
        return self._lift(math.tan, lambda a: 1 + math.tan(a) ** 2)

    def exp(self):
        return self._lift(math.exp, math.exp)


class Var:
    tape = []

    def __init__(self, value, parents=()):
        self.value, self.grad, self.parents = float(value), 0.0, parents
        Var.tape.append(self)

    def __add__(self, other):
        other = other if isinstance(other, Var) else Var(other)
        return Var(self.value + other.value, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other):
        other = other if isinstance(other, Var) else Var(other)
        return Var(self.value * other.value, ((self, other.value), (other, self.value)))

    def __radd__(self, other):
        return Var(other) + self

    def __rmul__(self, other):
        return Var(other) * self

    def sin(self):
        return Var(math.sin(self.value), ((self, math.cos(self.value)),))

    def tan(self):
        return Var(math.tan(self.value), ((self, 1 / math.cos(self.value) ** 2),))

    def backward(self):
        for node in Var.tape:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(Var.tape[: Var.tape.index(self) + 1]):
            for parent, slope in node.parents:
                parent.grad += slope * node.grad


def descend(a, u, v, steps, lr):
    factors = [u.clone().requires_grad_(), v.clone().requires_grad_()]
    for _ in range(steps):
        loss = torch.sum((a - factors[0] @ factors[1].T) ** 2)
        gradients = torch.autograd.grad(loss, factors)
        factors = [(factor - lr * gradient).detach().requires_grad_() for factor, gradient in zip(factors, gradients)]
    return factors[0].detach(), factors[1].detach()


def second_moment_gradient(mu, sigma, samples):
    point = torch.tensor([mu, sigma], dtype=torch.float64, requires_grad=True)
    z = point[0] + point[1] * torch.randn(samples)
    return tuple(torch.autograd.grad(torch.mean(z**2), point)[0].tolist())


def jacobian(w, x):
    return torch.autograd.functional.jacobian(lambda point: torch.tanh(w @ point), x)
