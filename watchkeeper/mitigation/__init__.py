"""What to do about a cause: typed actions, each with its effects, its limit and its way back.

All of it is pure: `plan.plan` reads the runbook's row for the cause and the world as it was last
seen, and says what would be done; `watchkeeper.performing` does it.
"""
