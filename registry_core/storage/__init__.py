"""The only code that talks to Azure Storage. `docs/architecture.md` has the rows and the rules."""
