"""What `slipway check-health` checks: each kind in a module, and `checks` runs them in order."""
