// SPDX-License-Identifier: MIT OR Apache-2.0
/* A plugin of another version of the interface. */
#include "hsl/plugin.h"

const struct hsl_plugin_ops hsl_plugin = { .version = HSL_PLUGIN_VERSION + 1, .size = sizeof(struct hsl_plugin_ops), .name = "wrong" };
