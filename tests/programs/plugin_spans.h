/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PLUGIN_SPANS_H
#define PLUGIN_SPANS_H
/* What plugin_spans.so offers to dlsym(). */

__attribute__((visibility("default"))) int plugin_is_traced(void);
__attribute__((visibility("default"))) void plugin_run(unsigned long count);

#endif
