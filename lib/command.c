/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_TO_KILL_MS 5000

extern char **environ;

static bool is_program(const char *path, int *reason)
{
	struct stat status;

	if (stat(path, &status)) {
		if (errno != ENOENT && errno != ENOTDIR)
			*reason = -errno;
		return false;
	}
	if (S_ISREG(status.st_mode) && access(path, X_OK) == 0)
		return true;
	*reason = S_ISDIR(status.st_mode) ? -EISDIR : -EACCES;
	return false;
}

/* As execvp() does: what can be executed first wins; else why the last candidate could not. */
static int search(const char *name, char **found)
{
	const char *list = getenv("PATH");
	int reason = -ENOENT;

	if (strchr(name, '/')) {
		if (!is_program(name, &reason))
			return reason;
		*found = strdup(name);
		return *found ? 0 : -ENOMEM;
	}
	if (!list)
		list = "/usr/local/bin:/usr/bin:/bin";
	while (*name) {
		size_t length = strcspn(list, ":");
		char *candidate;

		if (asprintf(&candidate, "%.*s/%s", length ? (int)length : 1, length ? list : ".",
			     name) < 0)
			return -ENOMEM;
		if (is_program(candidate, &reason)) {
			*found = candidate;
			return 0;
		}
		free(candidate);
		if (!list[length])
			break;
		list += length + 1;
	}
	return reason;
}

/* As a shell tells them apart. */
static int cannot_run(const char *name, int code, struct probekit_error *err)
{
	if (code == -ENOMEM)
		return error_no_memory(err);
	if (code == -ENOENT)
		error_failed(err, code, "command '%s' not found, or what it needs to start", name);
	else
		error_errno(err, code, "cannot run '%s'", name);
	if (err)
		err->kind = code == -ENOENT ? PROBEKIT_ERROR_NOT_FOUND : PROBEKIT_ERROR_CANNOT_RUN;
	return code;
}

int command_find(struct command *command, char *const argv[], struct probekit_error *err)
{
	size_t count = 0;
	int result;

	*command = (struct command){.release_fd = -1, .failure_fd = -1, .status = -1};
	if (!argv[0])
		return error_usage(err, "no command is given");
	result = search(argv[0], &command->path);
	if (result)
		return cannot_run(argv[0], result, err);
	while (argv[count])
		count++;
	command->argv = calloc(count + 1, sizeof(*command->argv));
	for (size_t i = 0; command->argv && i < count; i++) {
		command->argv[i] = strdup(argv[i]);
		if (!command->argv[i]) {
			command_done(command);
			return error_no_memory(err);
		}
	}
	return command->argv ? 0 : error_no_memory(err);
}

static void redirect(const struct probekit_session_options *options)
{
	int nothing;

	if (options->command_stdout_to_stderr)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	if (options->command_output_fd <= 0)
		return;
	dup2(options->command_output_fd, STDOUT_FILENO);
	dup2(options->command_output_fd, STDERR_FILENO);
	nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
}

/* In the child. */
static void lead_group(pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it was too late for that */
		_exit(0);
}

static void run_child(const struct command *command, int release, int failure,
		      const struct probekit_session_options *options)
{
	sigset_t none;
	ssize_t got;
	char go;
	int code;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	do {
		got = read(release, &go, 1);
	} while (got < 0 && errno == EINTR);
	if (got != 1)
		_exit(0);
	redirect(options);
	execve(command->path, command->argv, environ);
	code = errno;
	if (write(failure, &code, sizeof(code)) != sizeof(code))
		_exit(127);
	_exit(code == ENOENT ? 127 : 126);
}

int command_start(struct command *command, const struct probekit_session_options *options,
		  struct probekit_error *err)
{
	int release[2];
	int failure[2];
	pid_t parent = getpid();
	pid_t pid;

	/* Whoever shares the streams stays in the terminal's group, to read them and hear Ctrl-C. */
	command->leads_group = options->hold_command || options->command_output_fd > 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, release))
		return error_errno(err, -errno, "cannot start '%s'", command->argv[0]);
	if (pipe2(failure, O_CLOEXEC)) {
		close(release[0]);
		close(release[1]);
		return error_errno(err, -errno, "cannot start '%s'", command->argv[0]);
	}
	pid = fork();
	if (pid == 0) {
		close(release[1]); /* so that our end reads as closed when the parent dies */
		if (command->leads_group)
			lead_group(parent);
		run_child(command, release[0], failure[1], options);
	}
	close(release[0]);
	close(failure[1]);
	if (pid < 0) {
		close(release[1]);
		close(failure[0]);
		return error_errno(err, -errno, "cannot start '%s'", command->argv[0]);
	}
	if (command->leads_group)
		setpgid(pid, pid); /* who comes first does it */
	command->pid = pid;
	command->release_fd = release[1];
	command->failure_fd = failure[0];
	return 0;
}

int command_release(struct command *command, struct probekit_error *err)
{
	ssize_t got;
	int code;

	if (send(command->release_fd, "", 1, MSG_NOSIGNAL) != 1)
		return error_errno(err, -errno, "cannot start '%s'", command->argv[0]);
	close(command->release_fd);
	command->release_fd = -1;
	do {
		got = read(command->failure_fd, &code, sizeof(code));
	} while (got < 0 && errno == EINTR);
	close(command->failure_fd);
	command->failure_fd = -1;
	if (got != sizeof(code))
		return 0; /* closed by execve() */
	return cannot_run(command->path, -code, err);
}

static uint64_t ns_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_usec * 1000;
}

void command_reap(struct command *command)
{
	siginfo_t info = {0};
	struct rusage usage;
	int how = WEXITED | WNOHANG | (command->leads_group ? WNOWAIT : 0);

	if (command->pid <= 0 || command->status >= 0)
		return;
	/* The kernel's own has what the C library's has not: the usage. */
	if (syscall(SYS_waitid, P_PID, command->pid, &info, how, &usage) && errno == ECHILD)
		command->pid =
			0; /* SIGCHLD is ignored: the kernel has reaped it, its number is free */
	if (!info.si_pid)
		return;
	command->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	command->cpu_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime);
}

static void wait_at_most(struct command *command, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (fd >= 0) {
		while (poll(&wait, 1, timeout_ms) < 0 && errno == EINTR)
			;
		close(fd);
	}
	command_reap(command);
}

static void end_process(struct command *command)
{
	pid_t whom = command->leads_group ? -command->pid : command->pid;

	kill(whom, SIGTERM);
	if (command->leads_group)
		kill(whom, SIGCONT); /* it may be stopped, and would not see the signal */
	wait_at_most(command, TERM_TO_KILL_MS);
	if (command->pid <= 0 || command->status >= 0)
		return;
	kill(whom, SIGKILL);
	wait_at_most(command, -1);
}

void command_end(struct command *command)
{
	if (command->pid <= 0)
		return;
	if (command->release_fd >= 0) {
		close(command->release_fd);
		command->release_fd = -1;
	}
	command_reap(command);
	if (command->pid > 0 && command->status < 0)
		end_process(command);
	if (command->pid > 0 && command->leads_group)
		kill(-command->pid, SIGKILL); /* what it has left behind */
}

void command_done(struct command *command)
{
	command_end(command);
	if (command->leads_group && command->pid > 0)
		waitpid(command->pid, NULL, WNOHANG);
	for (size_t i = 0; command->argv && command->argv[i]; i++)
		free(command->argv[i]);
	free(command->argv);
	free(command->path);
	if (command->failure_fd >= 0)
		close(command->failure_fd);
	*command = (struct command){.release_fd = -1, .failure_fd = -1, .status = -1};
}

/* ---- what it will map ---- */

/* "\tlibc.so.6 => /lib/libc.so.6 (0x...)" or "\t/lib/ld.so (0x...)" */
static void add_library(char *line, struct objects *objects)
{
	char *arrow = strstr(line, " => ");
	char *path = arrow ? arrow + 4 : line + strspn(line, " \t");
	char *end = strrchr(path, '(');
	struct object *object;

	if (*path != '/' || !end)
		return;
	while (end > path && end[-1] == ' ')
		end--;
	*end = '\0';
	if (object_open(path, -1, &object, NULL) == 0)
		(void)objects_add(objects, object);
}

/* Asks the program's own loader, which only lists: nothing of the program runs. */
static void add_libraries(const struct command *command, const char *loader,
			  struct objects *objects)
{
	char *const argv[] = {(char *)loader, (char *)"--list", command->path, NULL};
	posix_spawn_file_actions_t actions;
	int out[2];
	pid_t pid;
	FILE *lines;

	if (pipe2(out, O_CLOEXEC))
		return;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	lines = fdopen(out[0], "r");
	if (lines && posix_spawn(&pid, loader, &actions, NULL, argv, environ) == 0) {
		char *line = NULL;
		size_t size = 0;

		close(out[1]);
		out[1] = -1;
		while (getline(&line, &size, lines) > 0)
			add_library(line, objects);
		free(line);
		waitpid(pid, NULL, 0);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (out[1] >= 0)
		close(out[1]);
	if (lines)
		fclose(lines);
	else
		close(out[0]);
}

int command_objects(const struct command *command, struct objects *objects,
		    struct probekit_error *err)
{
	struct object *object;
	const char *loader;
	ssize_t index;
	int result = object_open(command->path, -1, &object, err);

	if (result == -ENOEXEC)
		return 0;
	if (result)
		return result;
	loader = elf_file_interpreter(object->elf);
	if (loader) /* before the object may go: a second path to one file frees it */
		loader = strdupa(loader);
	index = objects_add(objects, object);
	if (index < 0)
		return error_no_memory(err);
	objects->items[index]->is_program = true;
	if (loader)
		add_libraries(command, loader, objects);
	return 0;
}
