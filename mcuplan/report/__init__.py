# SPDX-License-Identifier: Apache-2.0
"""Report formats, one module each."""
