/* SPDX-License-Identifier: 0BSD */
/* mplan_attention_lines_s8_dsp.h - two queries against all keys, their weights against values. */
#ifndef MPLAN_ATTENTION_LINES_S8_DSP_H
#define MPLAN_ATTENTION_LINES_S8_DSP_H

#include <string.h>

#include "mplan.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__ARM_FEATURE_UNALIGNED)
#error "mplan: needs the DSP instructions (-mcpu) and unaligned access (-munaligned-access)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MPLAN_SCORES_UNROLL (4U)
#define MPLAN_SCORES_STEP_BYTES 72 /* of code */

/* What `mplan_score_keys` reads. Its offsets stand in the assembly. */
typedef struct {
    const uint32_t *query;     /*  0: of each four elements two words of either query */
    const uint32_t *query_end; /*  4: of whole fours, one at least */
    int32_t start0;            /*  8: of every sum of query 0 */
    int32_t start1;            /* 12 */
    size_t stride;             /* 16: bytes from key to key */
    const int32_t *end;        /* 20: of the scores */
    uint32_t entry;            /* 24: bytes of code to skip; then the address to enter */
} mplan_scores_t;
MPLAN_STATIC_ASSERT(mplan_scores_as_in_assembly,
                    MPLAN_AT(mplan_scores_t, query, 0U) &&
                        MPLAN_AT(mplan_scores_t, query_end, 4U) &&
                        MPLAN_AT(mplan_scores_t, start0, 8U) &&
                        MPLAN_AT(mplan_scores_t, start1, 12U) &&
                        MPLAN_AT(mplan_scores_t, stride, 16U) &&
                        MPLAN_AT(mplan_scores_t, end, 20U) &&
                        MPLAN_AT(mplan_scores_t, entry, 24U));

/*
 * Scores [keys][2] of two queries, two keys at a time.
 *
 * A step does 16 multiply-accumulates in 19 cycles, as `mplan_two_lines`.
 */
static MPLAN_NAKED void mplan_score_keys(
    __attribute__((unused)) const int8_t *keys, __attribute__((unused)) int32_t *scores,
    __attribute__((unused)) mplan_scores_t *job)
{
    __asm volatile(
        "ldr r3, [r2, #4]; push {r0-r2, r4-r11, lr}; push {r3, r4}\n"
        "ldr r3, [r2, #24]; adr r12, 2f; add r3, r3, r12; orr r3, r3, #1; str r3, [r2, #24]\n"
        "1:\n" /* two keys */
        "ldr r3, [sp, #16]; ldr r0, [sp, #8]; ldr r1, [r3, #16]; ldr r2, [r3]\n"
        "ldr r4, [r3, #8]; ldr r5, [r3, #12]; ldr r3, [r3, #24]\n"
        "add r12, r0, r1, lsl #1; str r12, [sp, #8]; add r1, r0, r1\n"
        "mov r6, r4; mov r7, r5; bx r3\n"
        ".balign 4\n2:\n"
        ".rept 4\n"
        "ldr.w r8, [r2], #4; ldr.w r9, [r2], #4; ldr.w r10, [r2], #4; ldr.w r11, [r2], #4\n"
        "ldr.w r12, [r0], #4; ldr.w lr, [r1], #4\n"
        "sxtb16 r3, r12; sxtb16 r12, r12, ror #8\n"
        "smlad r4, r8, r3, r4; smlad r5, r10, r3, r5\n"
        "smlad r4, r9, r12, r4; smlad r5, r11, r12, r5\n"
        "sxtb16 r3, lr; sxtb16 lr, lr, ror #8\n"
        "smlad r6, r8, r3, r6; smlad r7, r10, r3, r7\n"
        "smlad r6, r9, lr, r6; smlad r7, r11, lr, r7\n"
        ".endr\n" MPLAN_CODE_BYTES("2b", MPLAN_SCORES_UNROLL * MPLAN_SCORES_STEP_BYTES)
        "ldr r3, [sp]; cmp r2, r3; bne.w 2b\n"
        "ldr r3, [sp, #12]; ldr r0, [sp, #16]; ldr r0, [r0, #20]\n"
        "strd r4, r5, [r3], #8; strd r6, r7, [r3], #8; str r3, [sp, #12]\n"
        "cmp r3, r0; bne.w 1b\n"
        "add sp, sp, #20; pop {r4-r11, pc}\n");
}

/* What `mplan_add_values` reads, and its sums. */
typedef struct {
    size_t stride;      /*  0: bytes from key to key */
    const int32_t *end; /*  4: of the weights */
    int32_t sums[8];    /*  8: four of query 0, four of query 1 */
} mplan_sums_t;
MPLAN_STATIC_ASSERT(mplan_sums_as_in_assembly, MPLAN_AT(mplan_sums_t, stride, 0U) &&
                                                   MPLAN_AT(mplan_sums_t, end, 4U) &&
                                                   MPLAN_AT(mplan_sums_t, sums, 8U));

#define MPLAN_ADD_VALUES                                                                           \
    "ldr.w r2, [r1], #4; ldr.w r3, [r1], #4; ldr.w r12, [r0]; ldr.w lr, [sp]\n"                    \
    "add r0, r0, lr; sxtb16 lr, r12, ror #8; sxtb16 r12, r12\n"                                    \
    "smlawb r4, r2, r12, r4; smlawb r5, r2, lr, r5; smlawt r6, r2, r12, r6\n"                      \
    "smlawt r7, r2, lr, r7; smlawb r8, r3, r12, r8; smlawb r9, r3, lr, r9\n"                       \
    "smlawt r10, r3, r12, r10; smlawt r11, r3, lr, r11\n"

/* Adds four values of each key times its weights [keys][2], without 16 bits of each product. */
static MPLAN_NAKED void mplan_add_values(
    __attribute__((unused)) const int8_t *values, __attribute__((unused)) const int32_t *weights,
    __attribute__((unused)) mplan_sums_t *job)
{
    __asm volatile("push {r2, r4-r11, lr}; mov r12, r2; ldr r2, [r12]; ldr r3, [r12, #4]\n"
                   "push {r2, r3}; add r12, r12, #8; ldm r12, {r4-r11}\n"
                   "sub r3, r3, r1; tst r3, #8; bne 2f\n"
                   "1:\n" MPLAN_ADD_VALUES "2:\n" MPLAN_ADD_VALUES
                   "ldr r2, [sp, #4]; cmp r1, r2; bne.w 1b\n"
                   "ldr r12, [sp, #8]; add r12, r12, #8; stm r12, {r4-r11}\n"
                   "add sp, sp, #12; pop {r4-r11, pc}\n");
}

static inline uint32_t mplan_four_at(const int8_t *from, size_t count, uint32_t fill)
{
    uint32_t bytes = fill;

    (void)memcpy(&bytes, from, (count < 4U) ? count : 4U);
    return bytes;
}

/* Four bytes in steps from the zero point, as {0, 2}, {1, 3}. */
static inline void mplan_widen_query(int32_t zero_point, uint32_t bytes, uint32_t *to)
{
    const uint32_t lowered = (uint32_t)(uint16_t)(-zero_point) * 0x00010001U;

    __asm("sxtab16 %0, %1, %2" : "=r"(to[0]) : "r"(lowered), "r"(bytes));
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(to[1]) : "r"(lowered), "r"(bytes));
}

/* Queries of two rows: widened all at once, or by_rows those of one row head by head. */
typedef struct {
    size_t depth;
    size_t heads;
    int32_t zero_point;
    uint32_t by_rows;
} mplan_queries_t;

static inline size_t mplan_query_words(const mplan_queries_t *q)
{
    return ((q->depth + 3U) / 4U) * 4U;
}

/* Of one head, four words for each four elements; the last four filled up with 0. */
static inline void mplan_widen_two(const mplan_queries_t *q, const int8_t *from0,
                                   const int8_t *from1, uint32_t *to)
{
    const uint32_t fill = (uint32_t)(uint8_t)q->zero_point * 0x01010101U;

    for (size_t d = 0U; d < q->depth; d += 4U) {
        mplan_widen_query(q->zero_point, mplan_four_at(&from0[d], q->depth - d, fill), to);
        mplan_widen_query(q->zero_point, mplan_four_at(&from1[d], q->depth - d, fill), &to[2]);
        to = &to[4];
    }
}

static inline void mplan_widen_heads(const mplan_queries_t *q, const int8_t *const *from,
                                     uint32_t *to)
{
    for (size_t h = 0U; (h < q->heads) && (q->by_rows == 0U); h++) {
        mplan_widen_two(q, &from[0][h * q->depth], &from[1][h * q->depth],
                        &to[h * mplan_query_words(q)]);
    }
}

/* Where those of a head are. */
static inline const uint32_t *mplan_head_queries(const mplan_queries_t *q,
                                                 const int8_t *const *from, size_t h,
                                                 uint32_t *widened)
{
    const uint32_t *found = &widened[h * mplan_query_words(q)];

    if (q->by_rows != 0U) {
        mplan_widen_two(q, &from[0][h * q->depth], &from[0][h * q->depth], widened);
        found = widened;
    }
    return found;
}

static inline int32_t mplan_halves_added(uint32_t halves, int32_t sum)
{
    int32_t total;

    __asm("smlad %0, %1, %2, %3" : "=r"(total) : "r"(halves), "r"(0x00010001U), "r"(sum));
    return total;
}

/* Elements of keys beyond whole fours, of two queries. */
static inline void mplan_score_rest(const uint32_t *query, const int8_t *key, size_t rest,
                                    int32_t *scores)
{
    const uint32_t bytes = mplan_four_at(key, rest, 0U);
    uint32_t wide[2];

    mplan_widen_query(0, bytes, wide);
    for (size_t i = 0U; i < 2U; i++) {
        __asm("smlad %0, %1, %2, %0" : "+r"(scores[i]) : "r"(query[2U * i]), "r"(wide[0]));
        __asm("smlad %0, %1, %2, %0" : "+r"(scores[i]) : "r"(query[(2U * i) + 1U]), "r"(wide[1]));
    }
}

/*
 * Scores [keys][2] of all keys, and of one more where their number is odd: from `keys` on, in rows
 * that an address or a table has.
 */
static inline void mplan_score_all(mplan_scores_t *job, const mplan_rows_t *rows,
                                   const int8_t *keys, size_t count, size_t depth, int32_t *scores)
{
    const size_t fours = depth / 4U;
    const size_t rest = depth % 4U;
    const size_t together = (rows->table == NULL) ? (count & ~(size_t)1U) : 2U;
    size_t taken = 0U;

    for (size_t j = 0U; j < count; j += taken) {
        const size_t next = ((j + 1U) < count) ? (j + 1U) : j;

        taken = (next > j) ? together : 2U; /* the last one alone: twice */
        job->query_end = &job->query[4U * fours];
        job->stride = mplan_row(rows, next) - mplan_row(rows, j);
        job->end = &scores[2U * (j + taken)];
        job->entry = (uint32_t)(((0U - fours) % MPLAN_SCORES_UNROLL) * MPLAN_SCORES_STEP_BYTES);
        mplan_score_keys(&keys[mplan_row(rows, j)], &scores[2U * j], job);
    }
    for (size_t j = 0U; (j < count) && (rest > 0U); j++) {
        mplan_score_rest(&job->query[4U * fours], &keys[mplan_row(rows, j) + (4U * fours)], rest,
                         &scores[2U * j]);
    }
}

/* Sums of at most four values of each key times the weights of two queries. */
static inline void mplan_sum_values(mplan_sums_t *job, const mplan_rows_t *rows,
                                    const int8_t *values, size_t count, size_t width,
                                    const int32_t *weights)
{
    const size_t together = (rows->table == NULL) ? count : 1U;

    (void)memset(job->sums, 0, sizeof job->sums);
    job->stride = rows->stride;
    for (size_t j = 0U; (j < count) && (width == 4U); j += together) {
        job->end = &weights[2U * (j + together)];
        mplan_add_values(&values[mplan_row(rows, j)], &weights[2U * j], job);
    }
    for (size_t j = 0U; (j < count) && (width < 4U); j++) {
        for (size_t e = 0U; e < width; e++) {
            const int64_t value = values[mplan_row(rows, j) + e];

            job->sums[e] += (int32_t)((value * weights[2U * j]) >> 16);
            job->sums[4U + e] += (int32_t)((value * weights[(2U * j) + 1U]) >> 16);
        }
    }
}

#ifdef __cplusplus
}
#endif

#endif /* MPLAN_ATTENTION_LINES_S8_DSP_H */
