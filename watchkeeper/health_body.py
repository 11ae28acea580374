"""What a service says of its own health, in the shapes that are in use. Pure.

    {"status": "ok"}, {"healthy": true}, true, "UP", ok, an empty 204
    RFC health+json         checks: name -> list of objects with status pass, warn, fail
    Spring Boot             components (or top-level objects) with status UP, DOWN, OUT_OF_SERVICE
    ASP.NET                 Healthy as text, or entries/results by name
    MicroProfile            status or outcome UP, checks: a list of objects with name and status
    Terminus (NestJS)       status ok or error, with info, error and details by name
    Django, flat maps       name -> "working", or an error's text
    Elasticsearch           green, yellow, red
    Consul                  AggregatedStatus and Checks; passing, warning, critical
    Kubernetes              ok; lines such as `[+]ping ok` and `[-]etcd failed`

It goes by an allow-list: a word or a shape that is not known here is unknown, never well. A part
counts as much as the whole: the worst of them is the answer, and it is named. What is known to be
bad wins over what is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from html.parser import HTMLParser
from typing import Any

DEEPEST = 8
MOST_PARTS = 1000
MOST_TEXT = 64 * 1024
LONGEST_WORD = 60


class Health(IntEnum):
    """Ordered: the larger one wins."""

    WELL = 0
    UNKNOWN = 1
    DEGRADED = 2
    SICK = 3


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WELL = _names("""
    ok okay healthy pass passed passing passes up green alive live ready running working success
    successful succeeded good well available operational online active serving normal connected
    reachable true fine started accessible responding
""")
_DEGRADED = _names("""
    degraded warn warning warnings yellow partial partially_degraded degraded_performance impaired
    slow limited unstable partial_outage performance_issues maintenance under_maintenance draining
    recovering
""")
_SICK = _names("""
    down fail failed failing fails failure error errors errored unhealthy sick red critical crit
    out_of_service unavailable dead not_ready not_ok notok ko nok bad broken offline stopped
    disconnected unreachable timeout timed_out time_out refused outage major_outage full_outage
    not_serving crashed fatal false not_connected not_healthy not_working not_running not_available
    inaccessible exception connection_refused service_unavailable inactive unresponsive
    not_responding
""")


def normal(word: str) -> str:
    """`Out Of Service`, `OUT_OF_SERVICE` and `out-of-service` are one word."""
    return re.sub(r"[\s_\-]+", "_", word.strip().rstrip(".!").strip()).lower()


@dataclass(frozen=True)
class Vocabulary:
    """What each word means, by its normal spelling."""

    meanings: Mapping[str, Health]

    def of(self, word: str) -> Health:
        return self.meanings.get(normal(word), Health.UNKNOWN)

    def with_words(
        self, well: Iterable[str] = (), degraded: Iterable[str] = (), sick: Iterable[str] = ()
    ) -> Vocabulary:
        """With words of a company's own, which also give a usual word another meaning."""
        more = {
            **{normal(word): Health.WELL for word in well},
            **{normal(word): Health.DEGRADED for word in degraded},
            **{normal(word): Health.SICK for word in sick},
        }
        return Vocabulary({**self.meanings, **more})


USUAL = Vocabulary({}).with_words(_WELL, _DEGRADED, _SICK)


@dataclass(frozen=True, slots=True)
class Part:
    """One part that is not well, or not understood: `db`, `cluster/disk`."""

    name: str
    health: Health
    word: str


@dataclass(frozen=True, slots=True)
class Said:
    """The whole answer: its own word, if it has one, and the parts that are not well, worst first."""

    health: Health
    word: str = ""
    parts: tuple[Part, ...] = ()

    def names(self, health: Health) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts if part.health is health)


def read_value(value: Any, words: Vocabulary = USUAL) -> Said:
    """Total: whatever JSON value the service serves."""
    reading = _Reading(words)
    own = reading.whole(value)
    return _said(own, reading)


def read_text(text: str, words: Vocabulary = USUAL) -> Said:
    """A body that is no JSON: a word, lines of checks, or HTML around a word."""
    text = text[:MOST_TEXT].lstrip("\ufeff").strip()
    if not text:
        return Said(Health.WELL, "")
    if text.startswith("<"):
        text = _shown(text)
    if words.of(text) is not Health.UNKNOWN or normal(text) == "pong":
        known = Health.WELL if normal(text) == "pong" else words.of(text)
        return Said(known, _short(text))
    reading = _Reading(words)
    if not reading.lines(text):
        return Said(Health.UNKNOWN, _short(text.splitlines()[0] if text else ""))
    return _said(_Own(), reading)


# Whoever answers so has not asked the service, or not for its health.
_NOT_ASKED = frozenset({401, 403, 404, 405, 406, 407, 410})


def read_answer(status: int, value: Any, text: str | None, words: Vocabulary = USUAL) -> Said:
    """The body beside its status. `text`: the body where it is no JSON, else None.

    A 5xx is bad news whatever the body says; a refusal or a redirect is about the address.
    """
    if 300 <= status <= 399 or status in _NOT_ASKED:
        return Said(Health.UNKNOWN, f"answered {status}: is the address right?")
    said = read_value(value, words) if text is None else read_text(text, words)
    if 200 <= status <= 299 or said.health > Health.UNKNOWN:
        return said
    if 500 <= status <= 599:
        return Said(Health.SICK, said.word, said.parts)
    return Said(Health.UNKNOWN, said.word, said.parts)


# --- the shapes -----------------------------------------------------------------------------------

# Members whose value is the object's own word. `up`, `ok` and the like hold a boolean, mostly.
_STATUS = _names(
    "status state health outcome health_status overall overall_status aggregated_status"
)
_FLAGS = _names("""
    healthy is_healthy ok is_ok up is_up alive is_alive ready is_ready live is_live available
    is_available success
    """)
_WORDS = _STATUS | _FLAGS
# Members that hold checks by name, or as a list: each of them has to be understood.
_CHECKS = _names("""
    checks components dependencies services entries results subsystems health_checks healthchecks
    indicators probes contributors upstreams backends
    """)
# True is bad news, false is none.
_BAD_FLAGS = _names("""
    timed_out error errors failed failing degraded unhealthy down dead broken stale overloaded
    has_errors is_degraded
    """)
_BUSY_FLAGS = _names("maintenance maintenance_mode draining shutting_down")
# Flags that say nothing of health.
_FACTS = _names("""
    debug read_only readonly dry_run cached verbose leader is_leader primary is_primary test_mode
    production sandbox ssl tls is_master master critical required optional
    """)
# Members of an object that say of what, when and how long, and never how well.
_ABOUT = _names("""
    name id version release_id service_id service_name description notes output time timestamp
    date uptime message title hostname host env environment commit build git_sha region tags type
    level log_level mode color colour role cluster_name node app application service component_id
    component_type links affected_endpoints observed_unit metric_unit duration total_duration
    latency latency_ms response_time key_fingerprint started_at boot_id sha branch instance zone
    """)


@dataclass(slots=True)
class _Own:
    """An object's own word. None: it says none."""

    health: Health | None = None
    word: str = ""

    def hears(self, health: Health, word: str) -> None:
        if self.health is None or health > self.health:
            self.health, self.word = health, word


@dataclass(slots=True)
class _Reading:
    words: Vocabulary
    parts: dict[str, Part] = field(default_factory=dict)
    # Whether anything at all was understood as a check, a well one too.
    checks: int = 0

    def whole(self, value: Any) -> _Own:
        own = _Own()
        if isinstance(value, dict):
            if not self.object(value, "", own, 0):
                self.flat(value, "", 0)
        elif isinstance(value, list):
            for name, one in _listed(value, ""):
                self.check(name, one, 0)
        else:
            own.hears(*self.scalar(value))
        return own

    def object(self, value: Mapping[str, Any], path: str, own: _Own, depth: int) -> bool:
        """Reads an object that has a word of its own or checks; False where it has neither."""
        keys = {key: _snake(key) for key in value}
        words = [key for key, snake in keys.items() if _is_word(snake, value[key])]
        checks = [
            key
            for key, snake in keys.items()
            if snake in _CHECKS and isinstance(value[key], dict | list)
        ]
        if not words and not checks:
            return False
        for key in words:
            own.hears(*self.scalar(value[key]))
        for key in checks:
            self.container(value[key], path, depth + 1)
        for key, snake in keys.items():
            if key not in words and key not in checks:
                self.beside(key, snake, value[key], path, own, depth)
        return True

    def container(self, value: dict[str, Any] | list[Any], path: str, depth: int) -> None:
        named = _listed(value, path) if isinstance(value, list) else _members(value, path)
        for name, one in named:
            self.check(name, one, depth)

    def check(self, name: str, value: Any, depth: int) -> None:
        """One check by name: all of it has to be understood."""
        if depth > DEEPEST or len(self.parts) >= MOST_PARTS:
            self.part(name, Health.UNKNOWN, "nested too deep")
        elif isinstance(value, dict):
            own = _Own()
            if self.object(value, name, own, depth):
                if own.health is not None:
                    self.part(name, own.health, own.word)
            elif self.inner(value, depth):
                for inner, one in _members(value, name):
                    if isinstance(one, dict | list):
                        self.check(inner, one, depth + 1)
            elif not _measures(value):
                self.part(name, Health.UNKNOWN, "says no status")
        elif isinstance(value, list):
            if not value:
                self.part(name, Health.UNKNOWN, "is empty")
            for inner, one in _listed(value, name, several=len(value) > 1):
                self.check(inner, one, depth + 1)
        else:
            self.part(name, *self.scalar(value))

    def beside(self, key: str, snake: str, value: Any, path: str, own: _Own, depth: int) -> None:
        """A member beside a word of the object's own: a fact, or one more part that says of itself."""
        name = f"{path}/{key}" if path else key
        if isinstance(value, dict):
            if self.inner(value, depth):
                self.nested(key, snake, value, path, depth)
        elif isinstance(value, list):
            if snake in _BAD_FLAGS and value:
                own.hears(Health.UNKNOWN, f"it lists {key}")
            elif value and all(isinstance(one, dict) and self.inner(one, depth) for one in value):
                for inner, one in _listed(value, name):
                    self.check(inner, one, depth + 1)
        elif isinstance(value, bool):
            self.flag(name, snake, value)
        elif isinstance(value, str) and snake not in _ABOUT:
            self.text(name, snake, value, own)

    def nested(self, key: str, snake: str, value: dict[str, Any], path: str, depth: int) -> None:
        """An object below a member: a part itself, or a folder of parts such as `details`."""
        if any(_snake(k) in _WORDS | _CHECKS for k in value):
            self.check(f"{path}/{key}" if path else key, value, depth + 1)
            return
        for inner, one in _members(value, path):
            if isinstance(one, dict) and self.inner(one, depth):
                self.check(inner, one, depth + 1)

    def inner(self, value: Mapping[str, Any], depth: int) -> bool:
        """Whether it speaks of health, itself or one level below."""
        if any(_is_word(_snake(k), v) for k, v in value.items()):
            return True
        if any(_snake(k) in _CHECKS and isinstance(v, dict | list) for k, v in value.items()):
            return True
        return depth < DEEPEST and any(
            isinstance(v, dict) and self.inner(v, depth + 1) for v in value.values()
        )

    def flag(self, name: str, snake: str, value: bool) -> None:
        if snake in _BUSY_FLAGS and value:
            self.part(name, Health.DEGRADED, "true")
        elif snake in _BAD_FLAGS and value:
            self.part(name, Health.SICK, "true")
        elif not value and snake not in _BAD_FLAGS | _BUSY_FLAGS | _FACTS:
            # Is `"database": false` a check that failed, or a feature that is off?
            self.part(name, Health.UNKNOWN, "false")

    def text(self, name: str, snake: str, value: str, own: _Own) -> None:
        """`"database": "down"` beside a status; what is no word of health is a fact."""
        if snake in _BAD_FLAGS:
            if value.strip() and normal(value) not in ("none", "null", "no"):
                own.hears(Health.UNKNOWN, f"it names an {snake}")
            return
        health = self.words.of(value)
        if health > Health.UNKNOWN:
            # `"lastError": "timeout"` tells of the past.
            past = snake.startswith(("last_", "previous_"))
            self.part(name, Health.UNKNOWN if past else health, _short(value))

    def flat(self, value: Mapping[str, Any], path: str, depth: int) -> None:
        """A map of checks without any word of its own: every member is one, but for plain facts."""
        for key, one in value.items():
            snake = _snake(key)
            plain = isinstance(one, int | float) and not isinstance(one, bool)
            if plain or (snake in _ABOUT and not isinstance(one, dict | list | bool)):
                continue
            if isinstance(one, list) and not one and snake in _BAD_FLAGS:
                continue
            self.check(f"{path}/{key}" if path else key, one, depth + 1)

    def lines(self, text: str) -> bool:
        """Kubernetes' verbose lines, or `name: word` lines; False where it is neither."""
        found: list[tuple[str, Health, str]] = []
        for line in filter(None, map(str.strip, text.splitlines()[:MOST_PARTS])):
            if got := _VERBOSE.fullmatch(line):
                bad = got["sign"] == "-"
                word = got["word"]
                well = not bad and (self.words.of(word) is Health.WELL or "excluded" in word)
                health = Health.SICK if bad else Health.WELL if well else Health.UNKNOWN
                found.append((got["name"], health, _short(word)))
            elif got := _SUMMARY.fullmatch(line):
                bad = got["word"].lower() != "passed"
                found.append((got["name"], Health.SICK if bad else Health.WELL, got["word"]))
            elif got := _NAMED.fullmatch(line):
                found.append((got["name"].strip(), self.words.of(got["word"]), _short(got["word"])))
            else:
                return False
        if all(health is Health.UNKNOWN for _, health, _ in found):
            return False
        for name, health, word in found:
            self.part(name, health, word)
        return True

    def scalar(self, value: Any) -> tuple[Health, str]:
        """A word, a boolean, or an HTTP status in the place of one."""
        if isinstance(value, bool):
            return (Health.WELL if value else Health.SICK), str(value).lower()
        if isinstance(value, int):
            known = Health.WELL if 200 <= value <= 299 else Health.UNKNOWN
            return (Health.SICK if 500 <= value <= 599 else known), str(value)[:LONGEST_WORD]
        if not isinstance(value, str):
            return Health.UNKNOWN, "null" if value is None else "no word"
        health = self.words.of(value)
        if health is Health.UNKNOWN and ":" in value:
            # `unavailable: connection refused`. What follows an `ok:` may be anything.
            before = self.words.of(value.partition(":")[0])
            health = before if before > Health.UNKNOWN else health
        return health, _short(value)

    def part(self, name: str, health: Health, word: str) -> None:
        self.checks += 1
        known = self.parts.get(name)
        if health is not Health.WELL and (known is None or health > known.health):
            self.parts[name] = Part(name, health, word)


def _said(own: _Own, reading: _Reading) -> Said:
    parts = sorted(reading.parts.values(), key=lambda part: (-part.health, part.name))
    worst = max((part.health for part in parts), default=Health.WELL)
    if own.health is None:
        known = worst if reading.checks else Health.UNKNOWN
        return Said(known, "", tuple(parts))
    return Said(max(own.health, worst), own.word, tuple(parts))


# --- names and texts ------------------------------------------------------------------------------

_VERBOSE = re.compile(r"\[(?P<sign>[+-])\]\s*(?P<name>\S+)\s+(?P<word>.{1,200})")
_SUMMARY = re.compile(
    r"(?P<name>(?:livez|readyz|healthz)(?:/\S*)?) check (?P<word>passed|failed)", re.IGNORECASE
)
_NAMED = re.compile(r"(?P<name>[\w .\-/]{1,80})[:=]\s*(?P<word>[\w \-]{1,40})")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _snake(key: str) -> str:
    """`AggregatedStatus`, `aggregated-status`: `aggregated_status`."""
    return normal(_CAMEL.sub("_", key[:80]))


def _is_word(snake: str, value: Any) -> bool:
    """`"ready": 3` counts something."""
    if snake in _STATUS:
        return isinstance(value, str | bool | int) or value is None
    return snake in _FLAGS and isinstance(value, str | bool)


def _measures(value: Mapping[str, Any]) -> bool:
    """A measurement of RFC health+json that judges nothing."""
    return any(_snake(key) == "observed_value" for key in value)


def _members(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        yield (f"{path}/{key}" if path else str(key)), one


def _listed(value: list[Any], path: str, *, several: bool = True) -> Iterator[tuple[str, Any]]:
    """Each by the name that it gives, or by its place."""
    for number, one in enumerate(value, 1):
        name = _name_of(one) if isinstance(one, dict) else None
        if name is None:
            name = str(number) if several or not path else ""
        yield "/".join(part for part in (path, name) if part), one


def _name_of(one: Mapping[str, Any]) -> str | None:
    for wanted in ("name", "id", "check_id", "component_id", "component", "service", "key"):
        for key, value in one.items():
            if _snake(key) == wanted and isinstance(value, str) and value:
                return value
    return None


def _short(text: str) -> str:
    return text.strip()[:LONGEST_WORD]


class _Text(HTMLParser):
    """The text that a page shows: without its head, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("head", "script", "style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("head", "script", "style", "title") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.shown.append(data.strip())


def _shown(page: str) -> str:
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.shown)
