# SPDX-License-Identifier: Apache-2.0
"""Builds, runs and measures generated code, and holds it against what it was made from.

``build_for_host`` and ``build_for_core`` make images, ``run_on_host`` and ``run_on_core`` run
them, ``measure_image`` and ``bound_stack`` read them; none of these knows a graph. ``verify``
proves a bundle against its plan, ``compare`` the plan's integers against ONNX Runtime.
"""
