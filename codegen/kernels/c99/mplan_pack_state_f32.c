/* SPDX-License-Identifier: 0BSD */
#include "mplan_pack_state_f32.h"

#include <string.h>

MPLAN_KERNEL
void mplan_pack_state_f32(const mplan_pack_state_f32_t *p, const void *h, const void *c,
                          int8_t *out, size_t y0, size_t y1)
{
    const size_t part = p->hidden * sizeof(float);
    const int8_t *const from_h = (const int8_t *)h;
    const int8_t *const from_c = (const int8_t *)c;

    for (size_t b = 0U; (b < p->batch) && (y0 < y1); b++) {
        int8_t *const to = &out[b * p->parts * part];

        (void)memcpy(to, &from_h[b * part], part);
        if (p->parts > 1U) {
            (void)memcpy(&to[part], &from_c[b * part], part);
        }
    }
}
