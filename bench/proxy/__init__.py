"""A proxy in front of storage that makes each call take longer, and counts the calls.

Azure's storage answers some milliseconds later than an emulator on the same machine. What a
registry takes there depends on how many calls wait for one another, so the proxy adds its time to
each call, once, however many bytes it has.
"""
