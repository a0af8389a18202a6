# SPDX-License-Identifier: Apache-2.0
"""Execution order, kernels, live ranges and addresses."""
