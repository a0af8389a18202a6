/* SPDX-License-Identifier: 0BSD */
/* harness.h - what the parts of a test image know of each other.
 *
 * glue.c (written per bundle) describes the model as data, runner.c feeds it sample by sample,
 * io_host.c or start.c with io_semihosting.c stand for the machine. Files have fixed names and
 * lie in the current folder of the program or of the emulator:
 *   inputs.bin   samples, each the bytes of all inputs in order
 *   outputs.bin  samples, each the bytes of all outputs in order
 *   dumps.bin    records { index, byte count, bytes } of the tensor dumps, in order of execution
 *   result.bin   two words: samples run, largest stack use of a call in bytes (0 on the host)
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

/** Bytes to write out whenever `step` has run. */
typedef struct {
    uint32_t step;
    const uint8_t *address;
    uint32_t nbytes;
} harness_dump_t;

/** Bytes that nothing needs once `step` has run. */
typedef struct {
    uint32_t step;
    volatile uint8_t *address;
    uint32_t nbytes;
} harness_dead_t;

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
extern const harness_dump_t harness_dumps[];
extern const uint32_t harness_dump_count;
extern const harness_dead_t harness_dead[];
extern const uint32_t harness_dead_count;
extern const volatile uint8_t harness_marks[]; /* one byte per step, read by hook_count.c */
extern const void *const harness_context;
extern const harness_entry_t harness_entry; /* NAME_invoke; only its address is used */
void harness_bind(void);                    /* asks the model where its ports lie */
uint32_t harness_invoke(void);              /* NAME_invoke(context) as plain C */

/* hook_count.c or hook_dump.c, called by the model after each step */
void harness_step(uint32_t step);

/* For hooks: overwrites what is dead, differently after each step. */
static inline void harness_spoil(uint32_t step)
{
    for (uint32_t i = 0U; i < harness_dead_count; i++) {
        if (harness_dead[i].step == step) {
            for (uint32_t k = 0U; k < harness_dead[i].nbytes; k++) {
                harness_dead[i].address[k] = (uint8_t)(0x5AU ^ step ^ k);
            }
        }
    }
}

/* io_host.c, or start.c and io_semihosting.c */
uint32_t harness_call(uint32_t *stack_bytes); /* runs the model, measures its stack if it can */
int32_t harness_open(const char *name, int32_t for_writing); /* negative on failure */
uint32_t harness_read(int32_t file, void *to, uint32_t nbytes); /* returns bytes read */
void harness_write(int32_t file, const void *from, uint32_t nbytes); /* all, or exits */
void harness_exit(uint32_t status);
void harness_print(const char *text);

/* runner.c */
int32_t harness_dump_file(void);
int main(void);

#endif
