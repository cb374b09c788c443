"""The heart: executions go out in batches; nothing is lost, nothing is sent twice.

claim -> send -> interpret -> record -> (retry | look up | finish)
"""
