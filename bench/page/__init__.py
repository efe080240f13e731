"""`docs/performance.md` and its pictures, made from the file of results and nothing else."""
