# SPDX-License-Identifier: Apache-2.0
"""The order of steps with the least peak of live bytes."""
