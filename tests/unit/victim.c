/* SPDX-License-Identifier: BSD-2-Clause */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "process.h"

/* Tries of a millisecond, far more than it takes. */
#define PATIENCE 60000

void victim_program_path(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(length > 0);
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	assert_true((size_t)snprintf(path, size, "%s/programs/%s", self, name) < size);
}

static void become(const char *path, const char *argument, const char *argument2, int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execl(path, path, argument, argument ? argument2 : NULL, NULL);
	_exit(127);
}

void victim_start(struct victim *victim, const char *path, const char *argument,
		  const char *argument2, const char *last)
{
	char full[PATH_MAX];
	int in[2];
	int out[2];

	*victim = (struct victim){0};
	if (path[0] != '/') {
		victim_program_path(path, full, sizeof(full));
		path = full;
	}
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	victim->pid = fork();
	assert_true(victim->pid >= 0);
	if (!victim->pid)
		become(path, argument, argument2, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	victim->input = in[1];
	victim->output = fdopen(out[0], "r");
	assert_non_null(victim->output);
	do {
		char *line = victim->lines[victim->line_count];

		assert_true(victim->line_count < VICTIM_LINES_MAX);
		if (!fgets(line, sizeof(victim->lines[0]), victim->output))
			fail_msg("'%s' ended early", path);
		line[strcspn(line, "\n")] = '\0';
		victim->line_count++;
	} while (strncmp(victim->lines[victim->line_count - 1], last, strlen(last)) != 0);
	assert_int_equal(process_read_maps(victim->pid, &victim->maps, NULL), 0);
}

static void copy_registers(struct victim *victim, const struct user_regs_struct *user,
			   bool has_all_registers)
{
	struct unwind_registers *registers = &victim->registers;

	registers->ip = user->rip;
	unwind_registers_set(registers, UNWIND_STACK_POINTER, user->rsp);
	unwind_registers_set(registers, UNWIND_FRAME_POINTER, user->rbp);
	if (!has_all_registers)
		return;
	unwind_registers_set(registers, 3, user->rbx);
	unwind_registers_set(registers, 12, user->r12);
	unwind_registers_set(registers, 13, user->r13);
	unwind_registers_set(registers, 14, user->r14);
	unwind_registers_set(registers, 15, user->r15);
}

static void copy_stack(struct victim *victim, uint64_t sp, size_t copy_bytes)
{
	struct iovec local = {0};
	struct iovec remote = {.iov_base = (void *)sp};

	for (size_t i = 0; i < victim->maps.size; i++) {
		const struct proc_map *map = &victim->maps.maps[i];

		if (sp >= map->start && sp < map->end && map->end - sp < copy_bytes)
			copy_bytes = map->end - sp;
	}
	/* exactly as large as what is copied: reads outside of it are found out */
	victim->copy = malloc(copy_bytes);
	assert_non_null(victim->copy);
	local = (struct iovec){victim->copy, copy_bytes};
	remote.iov_len = copy_bytes;
	assert_int_equal(process_vm_readv(victim->pid, &local, 1, &remote, 1, 0), copy_bytes);
	victim->stack = (struct unwind_stack){
		.address = sp, .bytes = victim->copy, .size_bytes = copy_bytes};
}

/* Stops it until it is seen inside of futex(). */
static struct user_regs_struct stop_in_futex(pid_t tid)
{
	struct user_regs_struct user = {0};
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, tid, NULL, NULL), 0);
	for (int i = 0; i < PATIENCE; i++) {
		assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
		assert_int_equal(waitpid(tid, &status, __WALL), tid);
		assert_true(WIFSTOPPED(status));
		assert_int_equal(ptrace(PTRACE_GETREGS, tid, NULL, &user), 0);
		if (user.orig_rax == SYS_futex)
			return user;
		assert_int_equal(ptrace(PTRACE_CONT, tid, NULL, NULL), 0);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	fail_msg("thread %d does not come to block", tid);
	return user;
}

void victim_capture(struct victim *victim, size_t copy_bytes, bool has_all_registers)
{
	struct user_regs_struct user;

	assert_int_equal(sscanf(victim->lines[victim->line_count - 1], "ready %d", &victim->tid),
			 1);
	user = stop_in_futex(victim->tid);
	copy_registers(victim, &user, has_all_registers);
	copy_stack(victim, user.rsp, copy_bytes);
	assert_int_equal(ptrace(PTRACE_DETACH, victim->tid, NULL, NULL), 0);
}

void victim_end(struct victim *victim)
{
	if (!victim->output)
		return;
	close(victim->input);
	fclose(victim->output);
	victim->output = NULL;
	kill(victim->pid, SIGKILL);
	while (waitpid(victim->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void victim_done(struct victim *victim)
{
	victim_end(victim);
	proc_maps_done(&victim->maps);
	free(victim->copy);
	*victim = (struct victim){0};
}
