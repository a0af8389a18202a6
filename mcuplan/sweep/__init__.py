# SPDX-License-Identifier: Apache-2.0
"""Many models on many targets: tasks, engines that run them, rows, and a cache of rows.

A task is a model with one set of options and all its targets. Whatever engine runs it, rows come
back one by one, and a row is the same as `mcuplan check` would say it.
"""
