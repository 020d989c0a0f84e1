/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PLUGIN_CALLS_H
#define PLUGIN_CALLS_H
/* What plugin_calls.so offers to dlsym(): plugin_call() calls plugin_leaf() twice. */
#include <stdint.h>

__attribute__((visibility("default"))) uint64_t plugin_call(uint64_t value);
__attribute__((visibility("default"))) uint64_t plugin_leaf(uint64_t value);

#endif
