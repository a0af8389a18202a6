/* SPDX-License-Identifier: 0BSD */
#include <arm_mve.h>

#include "mplan_lookup_s8_mve.h"

#define LANES (16U)

/* Results for sixteen elements; q stands at q + 128, which is q with its top bit turned. */
static inline int8x16_t results(const int8_t *table, int8x16_t elements)
{
    const uint8x16_t places = veorq_u8(vreinterpretq_u8_s8(elements), vdupq_n_u8(0x80U));

    return vldrbq_gather_offset_s8(table, places);
}

MPLAN_KERNEL
void mplan_lookup_s8_mve(const mplan_lookup_s8_mve_t *p, const int8_t *in, int8_t *out, size_t y0,
                         size_t y1)
{
    const int8_t *const table = p->table;
    const size_t row_bytes = p->row_bytes;
    const size_t rest = row_bytes % LANES;

    for (size_t y = y0; y < y1; y++) {
        const int8_t *from = &in[mplan_row(&p->in_rows, y)];
        int8_t *to = &out[mplan_row(&p->out_rows, y)];

        for (size_t i = row_bytes / LANES; i > 0U; i--) {
            vstrbq_s8(to, results(table, vldrbq_s8(from)));
            from = &from[LANES];
            to = &to[LANES];
        }
        if (rest > 0U) {
            const mve_pred16_t lanes = vctp8q((uint32_t)rest);

            vstrbq_p_s8(to, results(table, vldrbq_z_s8(from, lanes)), lanes);
        }
    }
}
