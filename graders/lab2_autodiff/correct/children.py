"""Reverse mode with children and a recursive gradient, as in a well-known blog; forward mode without a helper."""

import math


class Var:
    def __init__(self, value, parents=()):
        self.value = value
        self.children = []
        self.parents = parents
        self.grad = 0.0
        self.seed = None

    def _child(self, weight, z):
        self.children.append((weight, z))

    def __add__(self, other):
        other = other if isinstance(other, Var) else Var(other)
        z = Var(self.value + other.value, (self, other))
        self._child(1.0, z)
        other._child(1.0, z)
        return z

    def __mul__(self, other):
        other = other if isinstance(other, Var) else Var(other)
        z = Var(self.value * other.value, (self, other))
        self._child(other.value, z)
        other._child(self.value, z)
        return z

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def sin(self):
        z = Var(math.sin(self.value), (self,))
        self._child(math.cos(self.value), z)
        return z

    def tan(self):
        z = Var(math.tan(self.value), (self,))
        self._child(1 / math.cos(self.value) ** 2, z)
        return z

    def _gradient(self):
        if self.seed is None:
            self.seed = sum(weight * z._gradient() for weight, z in self.children)
        return self.seed

    def backward(self):
        self.seed = 1.0
        todo = [self]
        while todo:
            node = todo.pop()
            node.grad = node._gradient()
            todo.extend(node.parents)


class Dual:
    def __init__(self, real, dual=0.0):
        self.real, self.dual = float(real), float(dual)

    def __add__(self, o):
        return Dual(self.real + getattr(o, "real", o), self.dual + getattr(o, "dual", 0.0))

    def __radd__(self, o):
        return self.__add__(o)

    def __mul__(self, o):
        if isinstance(o, Dual):
            return Dual(self.real * o.real, self.real * o.dual + self.dual * o.real)
        return Dual(self.real * o, self.dual * o)

    def __rmul__(self, o):
        return self * o

    def __neg__(self):
        return self * -1

    def __sub__(self, o):
        return self + (-o)

    def __rsub__(self, o):
        return (-self) + o

    def __truediv__(self, o):
        return self * (o.reciprocal() if isinstance(o, Dual) else 1 / o)

    def __rtruediv__(self, o):
        return self.reciprocal() * o

    def reciprocal(self):
        return Dual(1 / self.real, -self.dual / self.real**2)

    def sin(self):
        return Dual(math.sin(self.real), math.cos(self.real) * self.dual)

    def cos(self):
        return Dual(math.cos(self.real), -math.sin(self.real) * self.dual)

    def tan(self):
        return self.sin() / self.cos()

    def exp(self):
        e = math.exp(self.real)
        return Dual(e, e * self.dual)
