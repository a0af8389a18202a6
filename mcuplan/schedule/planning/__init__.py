# SPDX-License-Identifier: Apache-2.0
"""From a graph to a plan: kernels, whole steps or rows, and which plan is taken."""
