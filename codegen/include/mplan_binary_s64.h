/* SPDX-License-Identifier: 0BSD */
/* mplan_binary_s64.h - operators of two tensors of integers or truth values, with broadcasting. */
#ifndef MPLAN_BINARY_S64_H
#define MPLAN_BINARY_S64_H

#include "mplan_integers.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_S64_ADD (0U)
#define MPLAN_S64_SUB (1U)
#define MPLAN_S64_MUL (2U)
#define MPLAN_S64_DIV (3U) /* towards 0 */
#define MPLAN_S64_MAX (4U)
#define MPLAN_S64_MIN (5U)
#define MPLAN_S64_REST (6U) /* of DIV, with the sign of in */
#define MPLAN_S64_MOD (7U)  /* with the sign of in2 */
#define MPLAN_S64_POW (8U)  /* towards 0 where in2 is below 0 */
#define MPLAN_S64_AND (9U)
#define MPLAN_S64_OR (10U)
#define MPLAN_S64_XOR (11U)
#define MPLAN_S64_COMPARE (12U)

typedef struct {
    mplan_rows_t in_rows;
    mplan_rows_t in2_rows;
    mplan_rows_t out_rows;
    uint32_t outer; /* rounds of three nested loops inside an output row */
    uint32_t middle;
    uint32_t inner;
    uint32_t in_outer; /* elements of each operand from one round to the next, 0 where repeated */
    uint32_t in_middle;
    uint32_t in_inner;
    uint32_t in2_outer;
    uint32_t in2_middle;
    uint32_t in2_inner;
    uint8_t in_moves; /* 1: output row y reads row y of the operand, 0: always its row 0 */
    uint8_t in2_moves;
    uint8_t in_kind; /* of both operands, MPLAN_INTEGER_... */
    uint8_t out_kind;
    uint8_t what; /* MPLAN_S64_... */
    uint8_t relations; /* of COMPARE: sum of those of which one must hold, MPLAN_LESS .. */
} mplan_binary_s64_t;

/**
 * Output rows [y0, y1). out may be an operand of the same shape and type, row by row at the same
 * place. Results keep their low bits; x / 0 and the remainder of it are 0.
 */
void mplan_binary_s64(const mplan_binary_s64_t *p, const int8_t *in, const int8_t *in2,
                      int8_t *out, size_t y0, size_t y1);

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_BINARY_S64_H */
