# SPDX-License-Identifier: Apache-2.0
"""From kernels and an order to a plan: views, live ranges, rows, addresses, proof."""
