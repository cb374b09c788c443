"""Attacks on the real `serve` process over loopback, each with its bound on memory and on the time of a probe.

To add one: in the module of its kind take the fixture `target`, or start a service with settings of its own with
`served`, and attack it inside `async with watched(target, growth_mb=…)`. `Target` speaks bare bytes.
"""
