/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - QEMU's plugin interface in the version that PLUGIN_API says. */
#include "plugin.h"

#include <stdlib.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API;

static void (*translate_block)(struct qemu_plugin_tb *tb);
static void (*finish_run)(void);

#if PLUGIN_API >= 7
static void on_translate(struct qemu_plugin_tb *tb, void *userdata)
{
    (void)userdata;
    translate_block(tb);
}

static void on_exit_of_emulator(void *userdata)
{
    (void)userdata;
    finish_run();
}
#else
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    translate_block(tb);
}

static void on_exit_of_emulator(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    finish_run();
}
#endif

void plugin_begin(qemu_plugin_id_t id, void (*translate)(struct qemu_plugin_tb *tb),
                  void (*finish)(void))
{
    translate_block = translate;
    finish_run = finish;
#if PLUGIN_API >= 7
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
#else
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
#endif
    qemu_plugin_register_atexit_cb(id, on_exit_of_emulator, NULL);
}

void *plugin_allocate(size_t count, size_t size)
{
    void *const made = calloc(count, size);

    if (made == NULL) {
        abort();
    }
    return made;
}

/* The size comes from the opcode: before a page end QEMU 7.2 adds a halfword of the next
 * instruction to this one. The second halfword is read only where there is one. */
plugin_opcode_t plugin_opcode(const struct qemu_plugin_insn *insn)
{
    plugin_opcode_t opcode = { 0U, 0U };
#if PLUGIN_API >= 3
    uint8_t code[4] = { 0U };

    (void)qemu_plugin_insn_data(insn, code, sizeof code);
#else
    const uint8_t *const code = qemu_plugin_insn_data(insn);
#endif
    opcode.first = code[0] | ((unsigned)code[1] << 8);
    if (opcode.first >= 0xE800U) {
        opcode.second = code[2] | ((unsigned)code[3] << 8);
    }
    return opcode;
}
