"""What runs the candidates of a sweep: processes of this machine, Ray, or Slurm through submitit.

The driver starts jobs and asks which have ended; a job leaves its result in a file, wherever it
ran. A launcher knows processes and machines, and nothing of how candidates are ranked or mirrored.
"""
