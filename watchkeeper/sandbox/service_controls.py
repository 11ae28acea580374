"""The service's own controls under `/_sim`: its faults, and how many replicas it is."""

from collections.abc import Callable
from pathlib import Path

from watchkeeper.sandbox import replicas, service_faults
from watchkeeper.sandbox.load import recall, remember
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json
from watchkeeper.sandbox.service_faults import Crash, Heavy, Overloaded, first
from watchkeeper.sandbox.service_state import State

FAULTS = "/_sim/faults"


class Controls:
    """`end` and `flood` are called when a fault asks for a crash or a heavy consumer; `load_file`
    keeps the load over a restart."""

    def __init__(
        self,
        state: State,
        end: Callable[[], None],
        flood: Callable[[Heavy], None],
        load_file: Path | None = None,
    ) -> None:
        self.state, self.end, self.flood, self.load_file = state, end, flood, load_file
        if (load := recall(load_file)) is not None:
            self._begin(load)

    def app(self, ask: Ask) -> Reply:
        try:
            match ask.method, ask.path:
                case "PUT" | "GET", path if path == replicas.PATH:
                    return self._replicas(ask)
                case "POST", path if path == FAULTS:
                    return self._fault(ask)
                case "DELETE", path if path.startswith(FAULTS):
                    return self._end(path.removeprefix(FAULTS).strip("/"))
                case "GET", path if path == FAULTS:
                    shown = [service_faults.to_json(f) for f in self.state.faults]
                    return as_json(200, {"faults": shown})
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        return NOT_FOUND

    def _replicas(self, ask: Ask) -> Reply:
        if ask.method == "PUT":
            self.state.waiting()
            self.state.replicas = replicas.replicas_in(ask)
            self.state.waiting()
        return as_json(200, {"replicas": self.state.replicas})

    def _fault(self, ask: Ask) -> Reply:
        operations = [operation.name for operation in self.state.setup.operations]
        fault = service_faults.from_json(ask.json(), operations)
        if isinstance(fault, Overloaded):
            self._begin(fault)
        else:
            self.state.faults.append(fault)
        self._kept()
        if isinstance(fault, Crash):
            self.end()
        if isinstance(fault, Heavy):
            self.flood(fault)
        return as_json(201, service_faults.to_json(fault))

    def _begin(self, load: Overloaded) -> None:
        """In the place of another one, whose queue is still there."""
        waiting = self.state.waiting() + load.waiting
        others = [f for f in self.state.faults if not isinstance(f, Overloaded)]
        self.state.faults[:] = [*others, load]
        self.state.load.begin(waiting)
        self.state.waiting()

    def _end(self, kind: str) -> Reply:
        faults = self.state.faults
        ended = [f for f in faults if kind in ("", f.kind)]
        faults[:] = [f for f in faults if f not in ended]
        self.state.waiting()
        self._kept()
        return as_json(200, {"ended": [f.kind for f in ended]})

    def _kept(self) -> None:
        remember(self.load_file, first(self.state.faults, Overloaded))
