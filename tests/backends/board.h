/* SPDX-License-Identifier: 0BSD */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;
    void (*call)(const int8_t *in, int8_t *out, size_t y0, size_t y1, int8_t *scratch,
                 const int32_t *packed, int shuffled);
    const int8_t *in;
    const int8_t *wanted;
    const int32_t *packed;
    const uint16_t *in_table;
    const uint16_t *out_table;
    size_t packed_bytes;
    size_t in_rows;
    size_t in_bytes;
    size_t out_rows;
    size_t out_bytes;
    size_t scratch_bytes;
    long above; /* least bytes from the output's first to the input's; below 0: not to be tried */
    int inplace;
} test_t;

extern const test_t *const tests[];
extern const size_t test_count;

void reset(void);
void run(const test_t *test);

#endif /* BOARD_H */
