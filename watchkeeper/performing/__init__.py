"""What is done to the world: plain async functions, each of which may be run again.

Whatever they decide on is decided elsewhere, by the pure modules; they fetch, store and call.
"""
