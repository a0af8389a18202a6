# SPDX-License-Identifier: Apache-2.0
"""Rewrites of the graph, one per module."""
