"""The data plane: one process per attempt. It runs its own party's program, and nothing else."""
