"""The networks of classifiers, one a file: its config and what builds it.

A new network is a file here with a `pipelines.classification.network_config.NetworkConfig`, one line in
`pipelines.classification.model_config.Network`, and configs that name it. Its experiment is registered by that line as
``<type>_classifier``.
"""
