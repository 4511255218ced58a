"""Filling a new view from what its inputs hold, while they go on changing.

A small fill happens in the DDL statement's own barrier. A large one is a job: a process of its own reads the inputs in a
snapshot, chunk by chunk, while the flow keeps what changes meanwhile (`pending`); the job then takes that in, snapshot by
snapshot, until little is left, which the flow takes in one barrier and publishes the view. Other views never wait for it.
"""
