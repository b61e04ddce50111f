"""The pieces screens are made of. A widget holds what it shows and nothing else."""
