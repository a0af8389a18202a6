# SPDX-License-Identifier: Apache-2.0
"""What plans of other kinds would bring: levels, tiles, both forms of the input."""
