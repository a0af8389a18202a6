# SPDX-License-Identifier: Apache-2.0
"""ONNX's own backend node tests: each becomes C code, which gives the outputs they expect.

``python -m tests.onnx_nodes`` runs them.
"""
