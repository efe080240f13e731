"""What a registry costs in a month: from what it does, measured storage calls, and prices."""
