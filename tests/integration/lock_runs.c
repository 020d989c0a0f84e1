/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_runs.h"

#define NOT_PLAYED 75 /* how a program ends that a busy machine has kept from what it was to do */
#define TRIES 5

static json_t *run_once(struct support_child *probekit, const struct support_how *how,
			const char *const words[])
{
	support_start(probekit, how, words);
	support_close_input(probekit);
	if (support_finish(probekit) != 0)
		fail_msg("status %d: %s", probekit->status, probekit->err.text);
	return support_json(probekit->out.text);
}

json_t *lock_run(struct support_child *probekit, const struct support_how *how,
		 const char *const words[])
{
	support_require_tracing();
	for (int tries = 1;; tries++) {
		json_t *snapshot = run_once(probekit, how, words);
		int status = (int)support_integer(snapshot, "child_status");

		if (status == 0)
			return snapshot;
		if (status != NOT_PLAYED || tries == TRIES)
			fail_msg("the program ended with status %d: %s", status,
				 probekit->err.text);
		print_message("the machine disturbed the program, which is run again\n");
		json_decref(snapshot);
		support_done(probekit);
	}
}

json_t *lock_run_program(struct support_child *probekit, const char *program, const char *mode,
			 const char *rounds)
{
	return lock_run(probekit, NULL,
			(const char *const[]){support_probekit(), "locks", "--json", "--",
					      support_program(program), mode, rounds, NULL});
}

static json_t *run_processes(struct support_child *probekit, const char *program, const char *mode,
			     const char *rounds)
{
	return lock_run(probekit, NULL,
			(const char *const[]){support_probekit(), "locks", "--json", "--children",
					      "--", support_program(program), mode, rounds, NULL});
}

void lock_require_true_times(void)
{
	if (support_scaled(2) == 2)
		return;
	print_message("skipped: needs native, as times say nothing when emulated\n");
	skip();
}

void lock_is_told_as_its_program_knows_it(void **state)
{
	const struct lock_kind *kind = *state;
	const char *rounds = kind->rounds ? kind->rounds : LOCK_ROUNDS;
	struct support_child probekit;
	json_t *snapshot;

	lock_require_true_times();
	snapshot = kind->has_processes
			   ? run_processes(&probekit, kind->program, kind->mode, rounds)
			   : lock_run_program(&probekit, kind->program, kind->mode, rounds);
	lock_rows_check(snapshot, kind, probekit.err.text);
	json_decref(snapshot);
	support_done(&probekit);
}
