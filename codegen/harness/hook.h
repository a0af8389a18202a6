/* SPDX-License-Identifier: 0BSD */
/* hook.h - put in front of the bundle's sources (-include) to be called after each step. */
#ifndef HARNESS_HOOK_H
#define HARNESS_HOOK_H

#include <stdint.h>

void harness_step(uint32_t step);

#define MPLAN_STEP_HOOK(step, ctx) harness_step((uint32_t)(step))

#endif
