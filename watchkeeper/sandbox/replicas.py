"""How many replicas a service is: one process does the work of so many, and is told how many."""

from watchkeeper.sandbox.plain import Ask

# In the environment of a process when it starts, and at PUT /_sim/replicas afterwards.
VARIABLE, PATH = "SANDBOX_REPLICAS", "/_sim/replicas"
MOST = 100


def replicas_in(ask: Ask) -> int:
    """From a body of {"replicas": 3}. Raises ValueError, TypeError."""
    wanted = ask.json().get("replicas")
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MOST:
        raise ValueError(f"replicas: a whole number from 1 to {MOST}")
    return wanted
