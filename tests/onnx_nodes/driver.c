/* SPDX-License-Identifier: 0BSD */
/* driver.c - runs every case in a process of its own: NAME.in becomes NAME.out.
 *
 * A case that crashes or does not end leaves no output that is whole; the others run. */
#define _POSIX_C_SOURCE 200809L
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS (20U)

static FILE *source;
static FILE *target;

void driver_read(void *to, size_t nbytes)
{
    if ((to == NULL) || (fread(to, 1U, nbytes, source) != nbytes)) {
        _exit(4);
    }
}

void driver_write(const void *from, size_t nbytes)
{
    if ((from == NULL) || (fwrite(from, 1U, nbytes, target) != nbytes)) {
        _exit(5);
    }
}

static FILE *opened(const char *name, const char *suffix, const char *mode)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s.%s", name, suffix);
    return fopen(path, mode);
}

static void run(const driver_case_t *one)
{
    int status = 0;

    (void)alarm(SECONDS);
    source = opened(one->name, "in", "rb");
    target = opened(one->name, "out", "wb");
    if ((source == NULL) || (target == NULL)) {
        _exit(6);
    }
    status = one->run();
    (void)fclose(target);
    _exit(status);
}

int main(void)
{
    for (size_t i = 0U; i < driver_count; i++) {
        const pid_t child = fork();
        int status = 0;

        if (child == 0) {
            run(&driver_cases[i]);
        }
        (void)waitpid(child, &status, 0);
        if (status != 0) {
            printf("%s %s %d\n", driver_cases[i].name, WIFSIGNALED(status) ? "signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            fflush(stdout);
        }
    }
    return 0;
}
