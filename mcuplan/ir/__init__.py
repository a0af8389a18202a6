# SPDX-License-Identifier: Apache-2.0
"""The layer graph: types, tensors, nodes, operators."""
