"""Measures the registry as it runs: `python -m bench --help`.

What is measured is a devhost of its own, over real sockets, on an Azurite of its own. An emulator
on somebody's machine says nothing of Azure's speed, so of times only ratios within one run mean
anything; bytes, storage calls and memory mean what they say.
"""
