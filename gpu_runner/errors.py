"""What can go wrong while a stranger's notebook runs, and whose fault it is.

    Exception
    ├── RunnerError                ours: no mark follows from it, the job goes back to the queue or to review
    │   ├── SandboxUnavailable     this machine cannot offer the backend that was asked for
    │   ├── SandboxFailed          the sandbox or the kernel in it did not start
    │   ├── DeviceUnavailable      a GPU is required, and none is there, free or answering
    │   └── ChannelMisused         the grader asked the channel for something that it cannot carry
    └── StudentFault               the student's: lives only between the channel and the test plugin, which
        │                          turns it into a verdict; it never leaves a grading run
        ├── StudentCodeError       their code raised; carries type, message and traceback as text
        ├── NameMissing            the notebook defines no such name
        ├── StudentTimeout         no answer in time; the kernel was interrupted or killed
        ├── KernelDied             the kernel's process ended (exit, crash, a limit)
        └── BadReply               what came back is not a value: malformed, oversized, of a refused kind
"""

from __future__ import annotations

from typing import Any


class RunnerError(Exception):
    """A fault of ours. Never costs a student a mark."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Crosses from a worker whole, whatever its constructor takes."""
        return rebuilt, (type(self), self.args, self.__dict__)


def rebuilt(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An exception as it was, without its constructor."""
    fault = kind.__new__(kind)
    fault.args = args
    fault.__dict__.update(state)
    return fault


class SandboxUnavailable(RunnerError):
    """This machine cannot offer the sandbox backend that was asked for.

    Attributes:
        backend: name of the backend.
        reason: what is missing.
        remedy: what to do about it, one sentence.
    """

    def __init__(self, backend: str, reason: str, remedy: str = "run `assessor doctor` and follow its advice") -> None:
        self.backend, self.reason, self.remedy = backend, reason, remedy
        super().__init__(f"sandbox {backend!r} is not available: {reason}; {remedy}")


class SandboxFailed(RunnerError):
    """The sandbox, or the kernel in it, did not start.

    Attributes:
        backend: name of the backend.
        log: the last of what it printed, for staff.
    """

    def __init__(self, backend: str, reason: str, log: str = "") -> None:
        self.backend, self.reason, self.log = backend, reason, log
        super().__init__(f"sandbox {backend!r} did not start: {reason}; run `assessor doctor`{': ' + log if log else ''}")


class DeviceUnavailable(RunnerError):
    """A GPU is required, and this host has none, none was free in time, or its driver does not answer."""


class ChannelMisused(RunnerError):
    """The grader's side asked for something that the channel cannot carry, such as a live object of its own."""


class StudentFault(Exception):
    """A fault of the student's code, on its way to becoming a verdict."""


class StudentCodeError(StudentFault):
    """The student's code raised.

    Attributes:
        type_name: name of the exception's class, as claimed.
        message: its text, as claimed.
        traceback: its traceback as text, only lines of the student's notebook.
    """

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        self.type_name, self.message, self.traceback = type_name, message, traceback
        super().__init__(f"{type_name}: {message}")


class NameMissing(StudentFault):
    """The notebook, run from top to bottom, defines no such name.

    Attributes:
        name: the name that was asked for.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the notebook does not define {name!r}")


class StudentTimeout(StudentFault):
    """No answer before the deadline.

    Attributes:
        seconds: the deadline that passed.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"no answer after {seconds:g} s")


class KernelDied(StudentFault):
    """The kernel's process ended while an answer was awaited.

    Attributes:
        reason: an exit status, a signal's name or the limit that was passed.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the notebook's process ended: {reason}")


class BadReply(StudentFault):
    """What came back is not a value that may cross: malformed, oversized or of a refused kind."""
