# SPDX-License-Identifier: Apache-2.0
"""Observes activation ranges on data."""
