"""What ECS does, as data tables and pure functions.

Nothing in this package does I/O, reads a clock, or imports another part of
ecslab. `now` is always an argument, in seconds since the epoch.
"""
