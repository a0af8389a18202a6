# SPDX-License-Identifier: Apache-2.0
"""Accelerated kernel sets, one module each."""
