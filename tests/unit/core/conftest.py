"""How much Hypothesis does here: enough to find what is wrong, and no more than seconds of it."""

from hypothesis import settings

# No deadline: how long one example takes says more of the machine's load than of the code.
settings.register_profile("core", max_examples=40, deadline=None)
settings.load_profile("core")
