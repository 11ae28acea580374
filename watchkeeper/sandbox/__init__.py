"""Stand-ins for the world outside: a vendor, a status page, a service, a pager, all on loopback.

Each is a real process (`python -m watchkeeper.sandbox.<name>`), so that tests and drills meet
real sockets, real headers and real deaths. Nothing here knows the rest of Watchkeeper.
"""
