"""Imported once by the fork server: what each candidate's process then has without importing it.

None of it may start a thread, which would not exist in the forked process. So polars is not here:
it starts some when it is imported. A candidate does without, as its table is kept as arrays.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np  # noqa: F401

with suppress(ImportError):
    import pandas as pd  # noqa: F401
    import scipy.sparse
    import scipy.stats  # noqa: F401
    import sklearn.calibration
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.metrics
    import sklearn.preprocessing
    import sklearn.tree  # noqa: F401
with suppress(ImportError):
    import imblearn.over_sampling
    import imblearn.under_sampling  # noqa: F401
with suppress(ImportError):
    import xgboost  # noqa: F401
with suppress(ImportError):
    import lightgbm  # noqa: F401
with suppress(ImportError):
    import onnx.helper  # noqa: F401
with suppress(ImportError):
    import fraudlab.launching.working  # noqa: F401
    from fraudlab.provenance import code_of_results

    code_of_results()  # reads every source file and the versions of the libraries
