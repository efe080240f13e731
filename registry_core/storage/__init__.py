"""The only code that talks to Azure Storage. `docs/faults.md` says what its faults lead to."""
