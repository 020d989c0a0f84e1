/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_SWITCH_RUNS_H
#define PROBEKIT_BENCH_SWITCH_RUNS_H
/* How often BPF programs ran and for how long, and the empty program that this is judged by. */
#include <stdint.h>
#include <sys/types.h>

struct program_runs {
	uint64_t run_ns;
	uint64_t runs;
};

/* Lets the kernel count until the descriptor returned is closed; negative errno. */
int program_runs_enable(void);
/* Sum over the programs that this process holds, each once; -ENOENT when it holds none. */
int program_runs_of_process(pid_t pid, struct program_runs *runs);
int program_runs_of(int program_fd, struct program_runs *runs);

/* A program that returns at once, on the tracepoint sched_switch. */
struct empty_switch {
	int program;
	int link;
};

/* Negative errno: the kernel lacks BTF or refuses. */
int empty_switch_attach(struct empty_switch *empty);
void empty_switch_detach(struct empty_switch *empty);

#endif
