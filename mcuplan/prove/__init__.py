# SPDX-License-Identifier: Apache-2.0
"""Builds, runs and measures a generated bundle; knows no operator and no graph.

``build_for_host`` and ``build_for_core`` make images, ``run_on_host`` and ``run_on_core`` run
them, ``measure_image`` and ``bound_stack`` read them.
"""
