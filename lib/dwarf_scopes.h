/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_DWARF_SCOPES_H
#define PROBEKIT_DWARF_SCOPES_H
/* Which functions an address belongs to by DWARF: the one whose code it is, and those that were
 * inlined there. */
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DWARF_SCOPES_MAX 32

/* What may be spent on one file, whose debug information may be made to take for ever: DIEs looked at,
 * some seconds of them. Where they are used up nothing more is found. */
#define DWARF_STEPS_MAX (UINT64_C(1) << 26)

/* The compile units of one file by address. libdw's own index is .debug_aranges, which clang and
 * rustc do not write. */
struct dwarf_units;

/* Reads the head of every unit. -ENOMEM. `dwarf` must outlive it. */
int dwarf_units_new(Dwarf *dwarf, struct dwarf_units **units) __attribute__((warn_unused_result));
void dwarf_units_free(struct dwarf_units *units);
bool dwarf_units_find(const struct dwarf_units *units, Dwarf_Addr address, Dwarf_Die *unit);

/* The functions around `address`, outermost (not inlined) first; 0 when DWARF does not know. */
size_t dwarf_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die scopes[DWARF_SCOPES_MAX],
		    uint64_t *steps_left);

/* The function's name: mangled where DWARF has it so, else with the namespaces and classes around it,
 * written to `text`. NULL when it has none. */
const char *dwarf_function_name(Dwarf_Die *function, char *text, size_t size, uint64_t *steps_left);
/* Where an inlined function was called. False when DWARF does not say. */
bool dwarf_call_site(Dwarf_Die *unit, Dwarf_Die *inlined, const char **file, unsigned int *line);

#endif
