/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what each scenario's snapshot must say. */
#include "expectations.h"

#define CLASS(name)                              \
	{                                        \
		"causes[0].class", FACT_IS, name \
	}
/* Not one cause in several pieces. */
#define MOST                                            \
	{                                               \
		"causes[0].share", FACT_AT_LEAST, "0.5" \
	}
#define REQUESTS "60", "scene:request"

/* clang-format off */
const struct scenario scenarios[] = {
	/* Within a second, after which nothing is left that knows where its file is. */
	{"a mutex held across fsync", "scene_locks", "mutex_fsync", "600", REQUESTS, "lock", {
		CLASS("lock"), MOST,
		{"causes[0].lock.symbol", FACT_IS, "scene_mutex"},
		{"causes[0].lock.kind", FACT_IS, "mutex"},
		{"causes[0].stack[function:append_scene].line", FACT_AT_LEAST, "1"},
		{"causes[0].holder.tid", FACT_IS, "$flusher"},
		{"causes[0].holder.comm", FACT_IS, "flusher"},
		{"causes[0].holder.blocked_in.fsync", FACT_OF_REST, "0.4"},
		{"causes[0].holder.stack[function:flush_scene].line", FACT_AT_LEAST, "1"},
		{"causes[0].holder.file", FACT_IS, "$file"},
	}},
	{"more threads than CPUs", "scene_cpu", "crowd", "1500", REQUESTS, "runqueue", {
		CLASS("runqueue"), MOST,
		{"causes[0].thief.pid", FACT_IS, "$pid"},
	}},
	{"a thief process", "scene_cpu", "thief", "4000", REQUESTS, "runqueue", {
		CLASS("runqueue"), MOST,
		{"causes[0].thief.pid", FACT_IS, "$thief"},
		{"causes[0].thief.comm", FACT_IS, "thief"},
	}},
	{"a CPU quota", "scene_cpu", "quota", "2000", REQUESTS, "throttled", {
		CLASS("throttled"), MOST,
		{"causes[0].cgroup", FACT_HAS, "$cgroup"},
	}},
	{"cold reads", "scene_io", "cold_reads", "1200", REQUESTS, "disk", {
		CLASS("disk"),
		{"causes[0].file", FACT_IS, "$file"},
		{"causes[0].syscall", FACT_IS, "pread64"},
		{"causes[0].stack[function:read_cold].line", FACT_AT_LEAST, "1"},
	}},
	{"a slow TCP peer", "scene_io", "slow_peer", "1200", REQUESTS, "network", {
		CLASS("network"), MOST,
		{"causes[0].peer", FACT_IS, "$peer"},
		{"causes[0].direction", FACT_IS, "read"},
		{"causes[0].stack[function:ask_peer].line", FACT_AT_LEAST, "1"},
	}},
	{"a sleep", "scene_io", "sleep", "1200", REQUESTS, "sleep", {
		CLASS("sleep"), MOST,
		{"causes[0].stack[function:doze].file", FACT_HAS, "scene_io.c"},
		{"causes[0].stack[function:doze].line", FACT_AT_LEAST, "1"},
	}},
	{"a slow path that computes", "scene_cpu", "slow_path", "1200", REQUESTS, "oncpu", {
		CLASS("oncpu"), MOST,
		{"causes[0].stack[0].function", FACT_IS, "burn_cycles"},
		{"causes[0].stack[0].line", FACT_AT_LEAST, "1"},
	}},
	{"a writer that starves readers", "scene_locks", "rwlock", "1200", REQUESTS, "lock", {
		CLASS("lock"), MOST,
		{"causes[0].lock.symbol", FACT_IS, "scene_rwlock"},
		{"causes[0].lock.kind", FACT_IS, "rwlock"},
		{"causes[0].stack[function:read_scene].line", FACT_AT_LEAST, "1"},
		{"causes[0].holder.tid", FACT_IS, "$writer"},
		{"causes[0].holder.blocked_in.clock_nanosleep", FACT_OF_REST, "0.8"},
		{"causes[0].holder.stack[function:write_scene].line", FACT_AT_LEAST, "1"},
	}},
	{"an empty queue", "scene_locks", "queue", "1200", REQUESTS, "lock", {
		CLASS("lock"), MOST,
		{"causes[0].lock.symbol", FACT_IS, "scene_condition"},
		{"causes[0].lock.kind", FACT_IS, "condvar"},
		{"causes[0].stack[function:consume].line", FACT_AT_LEAST, "1"},
		{"causes[0].released_by.tid", FACT_IS, "$producer"},
		{"causes[0].released_by.stack[function:produce].line", FACT_AT_LEAST, "1"},
	}},
	{"a slow pipe reader", "scene_io", "slow_reader", "1200", REQUESTS, "ipc", {
		CLASS("ipc"), MOST,
		{"causes[0].syscall", FACT_IS, "write"},
		{"causes[0].stack[function:fill_pipe].line", FACT_AT_LEAST, "1"},
		{"causes[0].released_by.pid", FACT_IS, "$slowreader"},
		{"causes[0].released_by.comm", FACT_IS, "slowreader"},
	}},
	{"major faults in a mapping", "scene_io", "major_faults", "1200", REQUESTS, "pagefault", {
		CLASS("pagefault"), MOST,
		{"causes[0].mapping", FACT_IS, "$file"},
		{"causes[0].stack[function:touch_mapping].line", FACT_AT_LEAST, "1"},
	}},
	{"a chain of two locks", "scene_locks", "chain", "1200", REQUESTS, "lock", {
		CLASS("lock"), MOST,
		{"causes[0].lock.symbol", FACT_IS, "chain_first"},
		{"causes[0].stack[function:enter_chain].line", FACT_AT_LEAST, "1"},
		{"causes[0].holder.tid", FACT_IS, "$middle"},
		{"causes[0].holder.stack[function:hold_first].line", FACT_AT_LEAST, "1"},
		{"causes[0].holder.blocked_in.futex", FACT_OF_REST, "0.8"},
		{"causes[0].holder.waits_for.lock.symbol", FACT_IS, "chain_second"},
		{"causes[0].holder.waits_for.holder.tid", FACT_IS, "$sleeper"},
		{"causes[0].holder.waits_for.holder.stack[function:hold_both].line",
		 FACT_AT_LEAST, "1"},
	}},
	{"a deadlock", "scene_locks", "deadlock", "100", "2", "scene:transfer", NULL, {
		{"open[tid:$left].is_deadlock", FACT_IS, "true"},
		{"open[tid:$left].blocked_in", FACT_IS, "futex"},
		{"open[tid:$left].lock.symbol", FACT_IS, "scene_right"},
		{"open[tid:$left].holder_tid", FACT_IS, "$right"},
		{"open[tid:$left].stack[function:left_to_right].line", FACT_AT_LEAST, "1"},
		{"open[tid:$right].is_deadlock", FACT_IS, "true"},
		{"open[tid:$right].blocked_in", FACT_IS, "futex"},
		{"open[tid:$right].lock.symbol", FACT_IS, "scene_left"},
		{"open[tid:$right].holder_tid", FACT_IS, "$left"},
		{"open[tid:$right].stack[function:right_to_left].line", FACT_AT_LEAST, "1"},
	}},
	{0},
};
/* clang-format on */
