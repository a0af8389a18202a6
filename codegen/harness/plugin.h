/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - what differs between the versions of QEMU's plugin interface, in one form. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stddef.h>

#include "qemu_plugin.h"

/* The first and the second halfword of an instruction; 0 for a second one that there is not. */
typedef struct {
    unsigned first, second;
} plugin_opcode_t;

/* From qemu_plugin_install(): whom to call for each translated block, and at the end. */
void plugin_begin(qemu_plugin_id_t id, void (*translate)(struct qemu_plugin_tb *tb),
                  void (*finish)(void));

/* Cleared memory; ends the emulator where there is none. */
void *plugin_allocate(size_t count, size_t size);

plugin_opcode_t plugin_opcode(const struct qemu_plugin_insn *insn);

#endif
