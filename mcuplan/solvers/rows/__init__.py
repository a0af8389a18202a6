# SPDX-License-Identifier: Apache-2.0
"""The order of rows of steps with the least peak of live bytes."""
