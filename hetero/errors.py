"""Every failure that hetero names, as one tree.

::

    HeteroError
    ├── UserError                 what the user gave is wrong: exit code 2, fix the input
    │   ├── InvalidValue          one field, one value, one reason
    │   ├── InvalidRequest        all problems of a request at once, each with its field
    │   ├── InvalidConfiguration  a file that people write: its path, the field, what to do
    │   └── Unplaceable           the request is sound, but nothing here can hold it
    ├── PluginError               a package that offers an entry point could not be used
    ├── DriverError               the vendor's library
    │   ├── DriverMissing         it is not installed on this machine
    │   └── DriverFailed          it is there and answered with an error
    │       └── DriverTimeout     it did not answer in time
    ├── EnforcementError          a slice could not be made or kept
    │   └── RegionError           the shared region is unreadable, of another version or damaged
    ├── Unbound                   a container cannot have what it holds yet; the kubelet asks again
    ├── KubeletError              the kubelet refused a call or did not answer it
    ├── ApiError                  the API server refused a request or did not answer it
    ├── AgentError                the agent of a node did not say what is used there
    └── WireError                 a stored record cannot be read

The text of an error is one sentence for the person who reads it, naming the field, the value and what to
do; the fields carry the same facts for logs and tests.
"""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 200
"""Characters of a wrong value that its sentence shows; the field ``value`` has all of it."""


class HeteroError(Exception):
    """Base of all failures that hetero raises on purpose."""

    exit_code = 1


class UserError(HeteroError):
    """The input is wrong; nothing is broken. The command line exits with code 2."""

    exit_code = 2


class InvalidValue(UserError):
    """One field holds a value that cannot be used.

    Args:
        field: Where the value stands, as the user would name it (``--memory``,
            ``spec.containers[0].resources.limits[acme.com/npu]``).
        value: What was given, unchanged.
        reason: Why it cannot be used and what to write instead, without a final full stop.
    """

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(f"{field}: {_shown(value)} {reason}")
        self.field = field
        self.value = value
        self.reason = reason


def _shown(value: object) -> str:
    """The value as Python writes it, cut where a sentence would drown in it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more than 4300 digits, or lists in lists in lists
        return "a value too long to show"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class InvalidRequest(UserError):
    """A request with one or more problems, all of them reported together.

    Args:
        problems: The problems in the order in which their fields stand in the request; at least one.
    """

    def __init__(self, problems: Iterable[InvalidValue]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class InvalidConfiguration(UserError):
    """A file written by a person cannot be used.

    Args:
        path: The file.
        reason: What is wrong in it, with the field, and what to write instead.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Unplaceable(UserError):
    """No device here can hold what was asked; the text says why for each candidate."""


class PluginError(HeteroError):
    """A plugin cannot be used.

    Args:
        plugin: Name of the entry point.
        reason: What happened when it was loaded.
        advice: What to do about it.
    """

    def __init__(self, plugin: str, reason: str, advice: str = "") -> None:
        super().__init__(f"plugin {plugin}: {reason}" + (f"; {advice}" if advice else ""))
        self.plugin = plugin
        self.reason = reason
        self.advice = advice


class DriverError(HeteroError):
    """The vendor's driver library did not do what was asked."""


class DriverMissing(DriverError):
    """The driver library is not on this machine.

    Args:
        library: The file that was looked for.
        advice: What to install.
    """

    def __init__(self, library: str, advice: str) -> None:
        super().__init__(f"{library} was not found: {advice}")
        self.library = library
        self.advice = advice


class DriverFailed(DriverError):
    """The driver library answered a call with an error.

    Args:
        call: Name of the function.
        code: What it returned.
        text: The library's own words for the code.
    """

    def __init__(self, call: str, code: int, text: str) -> None:
        super().__init__(f"{call} answered {code} ({text})")
        self.call = call
        self.code = code
        self.text = text


class DriverTimeout(DriverFailed):
    """The driver library did not come back from a call in time; it may yet, or never.

    Args:
        call: What was asked.
        seconds: How long it had.
    """

    LATE = -3
    """The field ``code``, where no code came."""

    def __init__(self, call: str, seconds: float) -> None:
        super().__init__(call, self.LATE, f"no answer within {seconds:g} s")
        self.args = (f"the driver did not come back from '{call}' within {seconds:g} s",)
        self.seconds = seconds


class EnforcementError(HeteroError):
    """A slice could not be made, kept or released."""


class RegionError(EnforcementError):
    """A shared region cannot be used.

    Args:
        path: The region's file.
        reason: What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Unbound(HeteroError):
    """A container cannot be given what it holds: not yet, or not any more. The kubelet asks again until it can.

    Args:
        reason: Why, and what to do; the user reads it in ``kubectl describe pod``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KubeletError(HeteroError):
    """The kubelet refused a call, or did not answer it.

    Args:
        socket: Where it was asked.
        reason: Its sentence, or what happened to the connection.
        code: gRPC's word for it (``UNAVAILABLE``, ``DEADLINE_EXCEEDED``, ...); empty where there was no call.
    """

    def __init__(self, socket: str, reason: str, code: str = "") -> None:
        super().__init__(f"{socket}: {reason}")
        self.socket = socket
        self.reason = reason
        self.code = code


class WireError(HeteroError):
    """A stored record (annotation, checkpoint, limits file) cannot be read."""


class ApiError(HeteroError):
    """The API server refused a request, or did not answer it.

    Args:
        status: The HTTP status; 0 where no answer came.
        reason: Kubernetes' own word for it (``NotFound``, ``Conflict``, ``AlreadyExists``, ...). Without an answer:
            ``Unreachable`` (nothing was sent), ``Timeout`` or ``Disconnected`` (it may have been carried out).
        message: The server's sentence, or what happened to the connection.
        retry_after: Seconds that the server asks to be left alone; ``None`` where it does not say.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"the API server {_answered(status)} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def unsure(self) -> bool:
        """True when what was asked for may have been carried out all the same."""
        return self.status >= 500 or (self.status == 0 and self.reason != "Unreachable")


class AgentError(HeteroError):
    """The agent of a node did not say what is used there.

    Args:
        node: The node.
        reason: What happened, and what to do.
    """

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"node {node}: {reason}")
        self.node = node
        self.reason = reason


def _answered(status: int) -> str:
    return f"answered {status}" if status else "did not answer,"
