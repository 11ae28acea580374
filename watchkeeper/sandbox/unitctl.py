"""The commands that a runbook runs on a unit:

python -m watchkeeper.sandbox.unitctl restart --url URL
python -m watchkeeper.sandbox.unitctl scale 3 --url URL
python -m watchkeeper.sandbox.unitctl replicas --url URL     # prints how many are wanted
"""

import argparse
import json
import sys
import urllib.request
from typing import Any

WITHIN_S = 30.0


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        if options.verb == "replicas":
            sys.stdout.write(f"{_asked('GET', f'{options.url}/state')['replicas']}\n")
        elif options.verb == "scale":
            _asked("POST", f"{options.url}/scale", {"replicas": options.replicas})
        else:
            _asked("POST", f"{options.url}/restart")
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"{options.verb} failed: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m watchkeeper.sandbox.unitctl")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("restart", "scale", "replicas"):
        verb = verbs.add_parser(name)
        verb.add_argument("--url", required=True, help="of the unit")
        if name == "scale":
            verb.add_argument("replicas", type=int)
    return parser


def _asked(method: str, url: str, body: object = None) -> dict[str, Any]:
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, sent, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=WITHIN_S) as answer:
        return dict(json.load(answer))


if __name__ == "__main__":
    sys.exit(main())
