"""The command that a runbook runs: `python -m watchkeeper.sandbox.unitctl restart --url URL`."""

import argparse
import sys
import urllib.request

WITHIN_S = 30.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m watchkeeper.sandbox.unitctl")
    parser.add_argument("verb", choices=["restart"])
    parser.add_argument("--url", required=True, help="of the unit")
    options = parser.parse_args(argv)
    request = urllib.request.Request(f"{options.url}/{options.verb}", method="POST")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(request, timeout=WITHIN_S).close()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{options.verb} failed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
