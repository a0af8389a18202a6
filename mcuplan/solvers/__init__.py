# SPDX-License-Identifier: Apache-2.0
"""Pure solvers: tables of numbers in, orders and addresses out; no tensor, no operator."""
