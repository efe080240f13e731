"""What requests cost in processor time, beside an empty function on the same host.

An instance has one processor and is billed by its time. Seconds say little of another machine; the
multiple of what an empty function takes in the same run holds on any.
"""
