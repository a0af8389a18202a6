/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_probe.c - QEMU plugin of a version that no QEMU has: it is refused, and the refusal says
 * which version of the plugin interface this QEMU has. */
#include <limits.h>

#include "qemu_plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = INT_MAX;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv);

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)id;
    (void)info;
    (void)argc;
    (void)argv;
    return -1;
}
