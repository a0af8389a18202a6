# SPDX-License-Identifier: Apache-2.0
"""Which kernel runs each step."""
