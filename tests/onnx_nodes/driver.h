/* SPDX-License-Identifier: 0BSD */
/* driver.h - what the cases and the program around them know of each other. */
#ifndef DRIVER_H
#define DRIVER_H

#include <stddef.h>

/* Of the files of the case that runs; a short one ends the process. */
void driver_read(void *to, size_t nbytes);
void driver_write(const void *from, size_t nbytes);

typedef struct {
    const char *name;
    int (*run)(void);
} driver_case_t;

extern const driver_case_t driver_cases[];
extern const size_t driver_count;

#endif
