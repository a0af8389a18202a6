/* SPDX-License-Identifier: 0BSD */
#include "mplan_state_part_f32.h"

#include <string.h>

MPLAN_KERNEL
void mplan_state_part_f32(const mplan_state_part_f32_t *p, const int8_t *in, int8_t *out, size_t y0,
                          size_t y1)
{
    const size_t part = p->hidden * sizeof(float);

    for (size_t b = 0U; (b < p->batch) && (y0 < y1); b++) {
        (void)memcpy(&out[b * part], &in[((b * p->parts) + p->part) * part], part);
    }
}
