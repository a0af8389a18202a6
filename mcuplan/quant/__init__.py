# SPDX-License-Identifier: Apache-2.0
"""Observed ranges and integer requantization."""
