"""Fitted models written as ONNX graphs, exactly.

One module per family turns a fitted estimator into the normal form of `trees` (or the layers of
`dense`), and `nodes` writes that. The graph ends in a raw margin: a float32 or in-graph probability
would not be the fitted model's own number, so links are applied outside, in float64. (EasyEnsemble
alone is no function of one sum: its graph adds up sigmoids, in float64 too.)
"""
