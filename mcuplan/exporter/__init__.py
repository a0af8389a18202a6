# SPDX-License-Identifier: Apache-2.0
"""Graph to model file."""
