"""Pure functions on tensors for in-model memory: each Triton kernel beside its plain-torch definition.

Importing this package imports neither torch nor Triton; `reference` needs torch, the kernel files need both.
Nothing here knows of models, caches or stores.
"""
