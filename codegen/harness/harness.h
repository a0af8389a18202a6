/* SPDX-License-Identifier: 0BSD */
/* harness.h - what the parts of a test image know of each other.
 *
 * glue.c (written per bundle) describes the model as data, runner.c feeds it sample by sample,
 * io_host.c or start.c with io_semihosting.c stand for the machine. Files have fixed names and
 * lie in the current folder of the program or of the emulator:
 *   inputs.bin   samples, each the bytes of all inputs in order
 *   outputs.bin  samples, each the bytes of all outputs in order
 *   dumps.bin    records { index, byte count, bytes } of the tensor dumps, in order of execution
 *   result.bin   words: samples run, largest stack use of a call in bytes (0 on the host), and
 *                1 + the first step that wrote what it must not, with its sample
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>
#include <stdint.h>

/* Exit status of a test image; anything else is the emulator's or the host's own. */
#define HARNESS_EXIT_OK (0U)
#define HARNESS_EXIT_INVOKE (81U) /* the model returned an error */
#define HARNESS_EXIT_FILE (82U)   /* a file is missing, cut short or not writable */
#define HARNESS_EXIT_STACK (83U)  /* the call used all of the test image's stack */
#define HARNESS_EXIT_FAULT (84U)  /* the processor took a fault */

/** One input or output of the model. */
typedef struct {
    void *address;
    uint32_t nbytes;
} harness_port_t;

/** Bytes to write out when a step has run; `index` is what the record is known by. */
typedef struct {
    uint32_t index;
    const uint8_t *address;
    uint32_t nbytes;
} harness_dump_t;

/** Bytes that nothing needs once a step has run. */
typedef struct {
    volatile uint8_t *address;
    uint32_t nbytes;
} harness_dead_t;

/** Bytes that a step must not write: they are neither its output nor its scratch. */
typedef struct {
    const volatile uint8_t *address;
    uint32_t nbytes;
} harness_kept_t;

/** An arena between bytes that nothing writes; a multiple of any alignment that arenas have. */
#define HARNESS_FENCE_BYTES (64U)
#define HARNESS_FENCED(type)                                                                       \
    static struct {                                                                                \
        uint8_t before[HARNESS_FENCE_BYTES];                                                       \
        type arena;                                                                                \
        uint8_t behind[HARNESS_FENCE_BYTES];                                                       \
    }

/** One arena object. */
typedef struct {
    uint8_t *address;
    uint32_t nbytes;
} harness_region_t;

typedef void (*harness_entry_t)(void);

/* glue.c */
extern harness_port_t harness_inputs[];
extern harness_port_t harness_outputs[];
extern const uint32_t harness_input_count;
extern const uint32_t harness_output_count;
extern const harness_region_t harness_regions[];
extern const uint32_t harness_region_count;
/* By step; those of step s are [start[s], start[s + 1]). */
extern const harness_dump_t harness_dumps[];
extern const uint32_t harness_dump_start[];
extern const uint32_t harness_dump_count;
extern const harness_dead_t harness_dead[];
extern const uint32_t harness_dead_start[];
extern const harness_kept_t harness_kept[];
extern const uint32_t harness_kept_start[];
extern const harness_dead_t harness_fences[]; /* around the arenas: nothing writes them */
extern const uint32_t harness_fence_count;
extern const volatile uint8_t harness_marks[]; /* one byte per step, read by hook_count.c */
extern const void *const harness_context;
void harness_bind(void); /* asks the model where its ports lie, or gives them a place */

/* The calls that a sample takes: NAME_invoke alone, or NAME_begin, _feed_row.., _finish.. */
extern const uint32_t harness_call_count;
extern const uint32_t harness_more_count; /* before the last: those that return MPLAN_MORE */
harness_entry_t harness_entry(uint32_t call);  /* the function; only its address is used */
const void *harness_argument(uint32_t call);   /* what it takes besides the context, or NULL */
uint32_t harness_call_plainly(uint32_t call);  /* the call as plain C */

#define HARNESS_MORE (4U) /* MPLAN_MORE */

/* 0 where a call returned what it must, else something that shows what it did return. */
static inline uint32_t harness_wrong(uint32_t call, uint32_t status)
{
    const uint32_t left = harness_call_count - 1U - call; /* calls after this one */
    const uint32_t wanted = ((left != 0U) && (left <= harness_more_count)) ? HARNESS_MORE : 0U;

    return status ^ wanted;
}

/* runner.c, for hooks */
extern uint32_t harness_guarded; /* not 0: the bytes that steps must leave alone are watched */
extern uint32_t harness_sealed;  /* what they held before the step */
extern uint32_t harness_stray;   /* 1 + the first step that wrote some, or 0 */

/* hook_count.c or hook_dump.c, called by the model after each step, or each run of rows */
void harness_step(uint32_t step);

/* For hooks: overwrites what is dead, differently after each step. */
static inline void harness_spoil(uint32_t step)
{
    for (uint32_t i = harness_dead_start[step]; i < harness_dead_start[step + 1U]; i++) {
        for (uint32_t k = 0U; k < harness_dead[i].nbytes; k++) {
            harness_dead[i].address[k] = (uint8_t)(0x5AU ^ step ^ k);
        }
    }
}

/* What the bytes hold that a step must leave alone: a number that changes with any of them. */
static inline uint32_t harness_sum(uint32_t step)
{
    uint32_t sum = 2166136261U; /* FNV-1a */

    for (uint32_t i = harness_kept_start[step]; i < harness_kept_start[step + 1U]; i++) {
        for (uint32_t k = 0U; k < harness_kept[i].nbytes; k++) {
            sum = (sum ^ harness_kept[i].address[k]) * 16777619U;
        }
    }
    for (uint32_t i = 0U; i < harness_fence_count; i++) {
        for (uint32_t k = 0U; k < harness_fences[i].nbytes; k++) {
            sum = (sum ^ harness_fences[i].address[k]) * 16777619U;
        }
    }
    return sum;
}

/* For hooks, when a step has ended: did it leave alone what it must? */
static inline void harness_compare(uint32_t step)
{
    if ((harness_guarded != 0U) && (harness_stray == 0U) && (harness_sum(step) != harness_sealed)) {
        harness_stray = step + 1U;
    }
}

/* Before a step. */
static inline void harness_seal(uint32_t step)
{
    if (harness_guarded != 0U) {
        harness_sealed = harness_sum(step);
    }
}

/* io_host.c, or start.c and io_semihosting.c */
/* Runs the model on a sample, measures its stack if it can. */
uint32_t harness_call(uint32_t *stack_bytes);
int32_t harness_open(const char *name, int32_t for_writing); /* negative on failure */
uint32_t harness_read(int32_t file, void *to, uint32_t nbytes); /* returns bytes read */
void harness_write(int32_t file, const void *from, uint32_t nbytes); /* all, or exits */
void harness_exit(uint32_t status);
void harness_print(const char *text);

/* runner.c */
int32_t harness_dump_file(void);
int main(void);

#endif
