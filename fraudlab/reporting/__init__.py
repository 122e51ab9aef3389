"""The report of a run or a sweep: from its files to one HTML page that needs nothing else."""
