# ruff: noqa
# Threat: Breaking. Objects whose repr, hash, str, class and deletion raise, loop or end the kernel.
# Outcome: completed
# Marks: 8

# %% before double
class Odd(Exception):
    def __str__(self): raise KeyboardInterrupt
    def __repr__(self): raise SystemExit
    def __hash__(self): raise MemoryError
    def __del__(self): raise ValueError
    def _repr_html_(self): return b"\xff" * 100
    def _repr_png_(self): return {"a": 1}
    def _repr_mimebundle_(self, **k): return [7]
    def __getattribute__(self, name): raise RuntimeError(name)
    @property
    def __class__(self): raise OSError
Odd()
# %% before tally
raise Odd
# %% before softmax
class Meta(type):
    def __repr__(cls): raise SystemExit
    __name__ = property(lambda cls: 1 / 0)
class Odder(Exception, metaclass=Meta):
    def with_traceback(self, tb): raise SystemExit
raise Odder("x")
