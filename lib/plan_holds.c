/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns where holds of locks are measured: the C library's functions that take and release them. */
#include <errno.h>
#include <string.h>

#include "function_code.h"
#include "function_entry.h"
#include "function_symbols.h"
#include "plan.h"

#define CODE_BYTES 64 /* looked at, at an entry */
#define RW HOLD_IS_RWLOCK

static const struct lock_function {
	const char *name;
	uint32_t what;
} lock_functions[] = {
	{"pthread_mutex_lock", HOLD_BEGINS},
	{"pthread_mutex_trylock", HOLD_BEGINS | HOLD_MAY_FAIL},
	{"pthread_mutex_timedlock", HOLD_BEGINS | HOLD_MAY_FAIL},
	{"pthread_mutex_clocklock", HOLD_BEGINS | HOLD_MAY_FAIL},
	{"pthread_mutex_unlock", HOLD_ENDS},
	{"pthread_rwlock_rdlock", HOLD_BEGINS | RW | HOLD_IS_READ},
	{"pthread_rwlock_tryrdlock", HOLD_BEGINS | RW | HOLD_IS_READ | HOLD_MAY_FAIL},
	{"pthread_rwlock_timedrdlock", HOLD_BEGINS | RW | HOLD_IS_READ | HOLD_MAY_FAIL},
	{"pthread_rwlock_clockrdlock", HOLD_BEGINS | RW | HOLD_IS_READ | HOLD_MAY_FAIL},
	{"pthread_rwlock_wrlock", HOLD_BEGINS | RW},
	{"pthread_rwlock_trywrlock", HOLD_BEGINS | RW | HOLD_MAY_FAIL},
	{"pthread_rwlock_timedwrlock", HOLD_BEGINS | RW | HOLD_MAY_FAIL},
	{"pthread_rwlock_clockwrlock", HOLD_BEGINS | RW | HOLD_MAY_FAIL},
	{"pthread_rwlock_unlock", HOLD_ENDS | RW},
	{"pthread_cond_wait", HOLD_PAUSES},
	{"pthread_cond_timedwait", HOLD_PAUSES},
	{"pthread_cond_clockwait", HOLD_PAUSES},
};

/* By the symbol, which may have a version. */
static const struct lock_function *find_function(const char *symbol)
{
	size_t length = strcspn(symbol, "@");

	for (size_t i = 0; i < sizeof(lock_functions) / sizeof(lock_functions[0]); i++)
		if (strncmp(lock_functions[i].name, symbol, length) == 0 &&
		    lock_functions[i].name[length] == 0)
			return &lock_functions[i];
	return NULL;
}

/* The first instruction that the kernel emulates instead of stepping it, before which the lock's address stays
 * where it was passed: most of these functions begin with a load, and have a jump or a push soon. */
static size_t find_emulated(const unsigned char *bytes, size_t size_bytes)
{
	struct function_code code;
	size_t found = 0;

	/* Where the bytes end in the middle of an instruction, fewer are code. */
	while (size_bytes && function_code_decode(bytes, (uint32_t)size_bytes, 0, &code))
		size_bytes--;
	if (!size_bytes)
		return 0;
	for (size_t i = 0; i < code.count; i++) {
		size_t at = code.starts[i];
		struct function_placement placement =
			function_entry_place(bytes + at, size_bytes - at);

		if (placement.cost == PROBEKIT_COST_EMULATED && !placement.skip_bytes &&
		    !placement.refused) {
			found = at;
			break;
		}
		if (code.instructions[i].step != STEP_ON || !function_code_keeps_argument(&code, i))
			break;
	}
	function_code_done(&code);
	return found;
}

static struct function_placement place(const struct object *object,
				       const struct function_symbol *symbol, uint32_t what)
{
	size_t size_bytes = symbol->size_bytes < CODE_BYTES ? symbol->size_bytes : CODE_BYTES;
	const unsigned char *code = elf_file_bytes(object->elf, symbol->offset, size_bytes);
	struct function_placement placement;
	size_t skip_bytes;

	if (!code || !size_bytes)
		return (struct function_placement){.refused = "it has no code"};
	placement = function_entry_place(code, size_bytes);
	if (placement.cost == PROBEKIT_COST_EMULATED || what & HOLD_PAUSES)
		return placement;
	skip_bytes = find_emulated(code, size_bytes);
	if (!skip_bytes)
		return placement;
	return (struct function_placement){.skip_bytes = skip_bytes,
					   .cost = PROBEKIT_COST_EMULATED};
}

static bool is_planned(const struct plan *plan, uint32_t object, uint64_t offset)
{
	for (uint32_t i = 0; i < plan->site_count; i++)
		if (plan->sites[i].object == object && plan->sites[i].offset == offset &&
		    (plan->sites[i].program == PROGRAM_HOLD_BEGIN ||
		     plan->sites[i].program == PROGRAM_HOLD_END))
			return true;
	return false;
}

static int add_site(struct plan *plan, const struct object *object, struct plan_site *site,
		    const struct function_symbol *symbol, uint32_t what)
{
	struct function_placement placement = place(object, symbol, what);
	struct plan_probe *probe = &plan->probes[site->probe];
	int result;

	site->offset = symbol->offset + placement.skip_bytes;
	if (placement.refused || symbol->is_ifunc || is_planned(plan, site->object, site->offset))
		return 0;
	site->program = what & HOLD_BEGINS ? PROGRAM_HOLD_BEGIN : PROGRAM_HOLD_END;
	site->cookie_bits = (uint64_t)what << COOKIE_OPERAND_SHIFT;
	result = plan_append_site(plan, site);
	if (result)
		return result;
	if (what & HOLD_BEGINS)
		probe->sites++;
	else
		probe->end_sites++;
	if (placement.cost > probe->cost)
		probe->cost = placement.cost;
	return 0;
}

static int add_all(struct plan *plan, const struct objects *objects, uint32_t index,
		   const struct function_symbols *symbols)
{
	const struct object *object = objects->items[index];
	struct plan_site site = {.object = index};
	uint32_t sites = plan->site_count;
	int result = 0;

	for (size_t i = 0; i < symbols->size && !result; i++) {
		const struct lock_function *function = find_function(symbols->items[i].name);

		if (!function)
			continue;
		result = plan_find_probe(plan, PROBEKIT_HOLDS_NAME, PROBEKIT_KIND_FUNCTION,
					 &site.probe);
		if (!result)
			result = add_site(plan, object, &site, &symbols->items[i], function->what);
	}
	if (!result && plan->site_count > sites)
		result = plan_note_object(&plan->probes[site.probe], object);
	return result;
}

int plan_add_holds(struct plan *plan, const struct objects *objects, uint32_t index,
		   struct probekit_error *err)
{
	struct function_symbols symbols;
	int result = function_symbols_load(objects->items[index], &symbols, err);

	if (result)
		return result;
	result = add_all(plan, objects, index, &symbols);
	function_symbols_done(&symbols);
	if (result == -ENOSPC) {
		plan->left_out++;
		return 0;
	}
	return result ? error_no_memory(err) : 0;
}

bool plan_has_holds(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->site_count; i++)
		if (plan->sites[i].program == PROGRAM_HOLD_BEGIN)
			return true;
	return false;
}
