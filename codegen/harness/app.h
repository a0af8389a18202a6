/* SPDX-License-Identifier: 0BSD */
/* app.h - a program that uses a bundle as an application would, through its header alone.
 *
 * app_glue.c (written per bundle) names what the header has, app.c uses it. Words of 32 bits go to
 * app.bin, in this order; whoever wrote app_glue.c knows what they must be:
 *   the facts, then the scales
 *   of each wrong context: of each function its status and whether nothing was written; of each
 *   accessor whether it gave NULL
 *   of each call that came out of order: its status and whether nothing was written
 *   of each accessor: whether all of its bytes lie in an arena
 *   of each input, each probe as an integer; of each output, the real values of 256 integers
 *   of each output, its real values for a sample of real inputs
 * app_in.bin has the probes of each input, then that sample, as floats. */
#ifndef HARNESS_APP_H
#define HARNESS_APP_H

#include "harness.h"

#define APP_PROBES (1024U) /* for each input */

/** One input or output, by what the header has for it. */
typedef struct {
    void *(*at)(const void *ctx);    /* accessor; NULL: rows are fed */
    int32_t (*quantize)(float real); /* of inputs */
    float (*real)(int32_t q);        /* of outputs */
    void *fed;                       /* where the rows are that are fed */
    uint32_t nbytes;
    int32_t low;   /* least integer that is tried: 0 or -128 */
    uint32_t size; /* bytes of an element */
} app_port_t;

/* app_glue.c */
extern const uint32_t app_facts[];
extern const uint32_t app_fact_count;
extern const float app_scales[];
extern const uint32_t app_scale_count;
extern app_port_t app_inputs[];
extern const uint32_t app_input_count;
extern app_port_t app_outputs[];
extern const uint32_t app_output_count;
extern const harness_region_t app_regions[]; /* arenas, then contexts */
extern const uint32_t app_arena_count;
extern const uint32_t app_region_count;
extern void *const app_wrong[]; /* contexts that are not usable */
extern const uint32_t app_wrong_count;
extern void *const app_context; /* one that is */
extern const uint32_t app_entry_count;
uint32_t app_enter(uint32_t entry, void *ctx); /* calls a function of the model */
void app_order(void);                          /* calls that come out of order */

/* app.c */
void app_put(uint32_t word);
uint32_t app_state(void); /* a number that changes with any byte of arenas and contexts */

/** Puts the status of a call, and whether it wrote nothing. */
#define APP_TRY(call)                                                                              \
    do {                                                                                           \
        const uint32_t before = app_state();                                                       \
        const uint32_t status = (uint32_t)(call);                                                  \
        app_put(status);                                                                           \
        app_put((app_state() == before) ? 1U : 0U);                                                \
    } while (0)

#define APP_AT(accessor, ctx_t)                                                                    \
    static void *accessor##_at(const void *ctx)                                                    \
    {                                                                                              \
        return (void *)(uintptr_t)accessor((const ctx_t *)ctx);                                    \
    }
#define APP_QUANTIZE(accessor)                                                                     \
    static int32_t accessor##_q(float real)                                                        \
    {                                                                                              \
        return (int32_t)accessor##_quantize(real);                                                 \
    }
/* Ports of real values have no conversions: their bits go to memory and come from there. */
typedef union {
    float real;
    int32_t word;
} app_word_t;
#define APP_WORD(accessor)                                                                         \
    static int32_t accessor##_q(float real)                                                        \
    {                                                                                              \
        const app_word_t same = { .real = real };                                                  \
        return same.word;                                                                          \
    }
#define APP_FLOAT(accessor)                                                                        \
    static float accessor##_r(int32_t q)                                                           \
    {                                                                                              \
        const app_word_t same = { .word = q };                                                     \
        return same.real;                                                                          \
    }
/* Those of integers that lie on no grid take and give whole numbers. */
#define APP_INTEGER(accessor)                                                                      \
    static int32_t accessor##_q(float real)                                                        \
    {                                                                                              \
        return (int32_t)real;                                                                      \
    }
#define APP_NUMBER(accessor)                                                                       \
    static float accessor##_r(int32_t q)                                                           \
    {                                                                                              \
        return (float)q;                                                                           \
    }
#define APP_REAL(accessor, element_t)                                                              \
    static float accessor##_r(int32_t q)                                                           \
    {                                                                                              \
        return accessor##_real((element_t)q);                                                      \
    }

#endif
