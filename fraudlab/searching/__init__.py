"""A search: what may vary is read from YAML, what is tried next comes from Optuna.

Each candidate it tries is composed, checked, trained, recorded and ranked as one of a sweep. Only
`studies` knows Optuna, through `optuna_parts`.
"""
