/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PLUGIN_DEPTHS_H
#define PLUGIN_DEPTHS_H

/* Calls `callback` from `depth` calls of its own further down. */
__attribute__((visibility("default"))) int plugin_descend(unsigned int depth,
							  void (*callback)(void));

#endif
