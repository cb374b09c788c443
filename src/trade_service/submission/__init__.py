"""The engine: sends executions in batches; nothing is lost, nothing is sent twice.

claim -> send -> interpret -> record -> (retry | reconcile | finish)
"""
