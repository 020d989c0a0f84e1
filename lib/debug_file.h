/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_DEBUG_FILE_H
#define PROBEKIT_DEBUG_FILE_H
/* Where the debug information of a stripped module is; for Dwfl_Callbacks.find_debuginfo. */
#include <elfutils/libdwfl.h>

/* By build id in /usr/lib/debug/.build-id, then by .gnu_debuglink beside the file, in .debug beside
 * it, and in /usr/lib/debug, first in the target's root. What is found by name must have the
 * module's build id, or the link's CRC where the module has none; of what a target could change a copy
 * is given. Never asks the network. */
int debug_file_find(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
		    const char *file_name, const char *link, GElf_Word crc, char **found);

#endif
