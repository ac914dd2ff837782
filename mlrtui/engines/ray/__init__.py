"""The engine of Ray: workers on the machines of a cluster, or on this one.

`engine.RayEngine` lives in the driver, which owns the store, and never imports Ray: Ray ends the process that uses it
when its head is gone, and takes over its signals. So a process between does, `relay` (docs/decisions/0013).
"""
