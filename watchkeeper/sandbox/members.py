"""Members of a JSON value by a dotted path: `meta.next`, `checks.0.name`."""

from typing import Any


def has(body: Any, path: str) -> bool:
    for part in path.split("."):
        if isinstance(body, dict) and part in body:
            body = body[part]
        elif isinstance(body, list) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        else:
            return False
    return True


def put(body: Any, path: str, value: Any) -> Any:
    """The same with `value` at the path. What was not there is made, what stands in the way goes."""
    first, _, rest = path.partition(".")
    if first.isdecimal():
        found = list(body) if isinstance(body, list) else []
        found += [{} for _ in range(int(first) + 1 - len(found))]
        found[int(first)] = put(found[int(first)], rest, value) if rest else value
        return found
    named = dict(body) if isinstance(body, dict) else {}
    named[first] = put(named.get(first), rest, value) if rest else value
    return named
