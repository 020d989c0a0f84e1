/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which programs there are, and whether they fit. custom_sites.c attaches them. */
#include "custom.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"

#define ALL_ROLES (PROBEKIT_AT_BEGIN | PROBEKIT_AT_END | PROBEKIT_AT_VALUE)

/* Any other file may be told of as if it were one: the kernel's answers differ in length alone. */
static bool is_bpf_file(int fd, const char *what)
{
	char path[64];
	char target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	return strcmp(target, what) == 0;
}

static int take_map(struct custom_program *program, int fd, struct probekit_error *err)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (!is_bpf_file(fd, "anon_inode:bpf-map"))
		return error_usage(err, "program '%s': %d is not the file descriptor of a BPF map",
				   program->name, fd);
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return error_errno(err, -errno, "cannot look at the map of program '%s'",
				   program->name);
	if (info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(uint32_t) ||
	    info.value_size != sizeof(struct probekit_site_arguments)) {
		error_usage(err, "program '%s': its map '%s' is not the one of <probekit/bpf.h>",
			    program->name, info.name);
		return error_hint(err, -EINVAL, "give the map probekit_sites, or -1 for none%s",
				  strcmp(info.name, "probekit_sites")
					  ? ""
					  : "; build with the header of this library's version");
	}
	program->map_room = info.max_entries;
	program->map_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return program->map_fd < 0 ? error_errno(err, -errno, "cannot keep the BPF map") : 0;
}

/* Who may look finds that a program reads what would never be filled. */
static bool reads_sites(int program_fd)
{
	uint32_t maps[64];
	struct bpf_prog_info info = {
		.nr_map_ids = sizeof(maps) / sizeof(*maps),
		.map_ids = (uint64_t)(uintptr_t)maps,
	};
	uint32_t size = sizeof(info);
	bool found = false;

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < sizeof(maps) / sizeof(*maps); i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(maps[i]);

		size = sizeof(map);
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &map, &size) == 0)
			found |= strcmp(map.name, "probekit_sites") == 0;
		if (fd >= 0)
			close(fd);
	}
	return found;
}

static int take_program(struct custom_program *program, const struct probekit_program *given,
			struct probekit_error *err)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (!is_bpf_file(given->fd, "anon_inode:bpf-prog"))
		return error_usage(err, "%d is not the file descriptor of a BPF program",
				   given->fd);
	if (bpf_obj_get_info_by_fd(given->fd, &info, &size))
		return error_errno(err, -errno, "cannot look at the BPF program");
	memcpy(program->name, info.name, sizeof(program->name) - 1);
	if (info.type != BPF_PROG_TYPE_KPROBE) {
		error_usage(err, "program '%s' is of no type that can be attached to sites",
			    program->name);
		return error_hint(err, -EINVAL,
				  "begin it with PROBEKIT_PROGRAM() or SEC(\"uprobe\")");
	}
	if (given->sites_fd >= 0)
		return take_map(program, given->sites_fd, err);
	if (!reads_sites(given->fd))
		return 0;
	error_usage(err, "program '%s' reads arguments, and its map probekit_sites is not given",
		    program->name);
	return error_hint(err, -EINVAL, "set sites_fd to its file descriptor");
}

static int copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static void program_done(struct custom_program *program)
{
	if (program->fd >= 0)
		close(program->fd);
	if (program->map_fd >= 0)
		close(program->map_fd);
	free(program->probes);
	free(program->events);
}

int custom_add(struct custom *custom, const struct probekit_program *given,
	       struct probekit_error *err)
{
	struct custom_program program = {.fd = -1, .map_fd = -1, .roles = given->roles};
	struct custom_program *programs;
	int result;

	if (given->roles & ~(unsigned int)ALL_ROLES || (!given->roles && !given->events))
		return error_usage(err, "a program needs roles, or the events to be attached to");
	result = take_program(&program, given, err);
	if (!result && (copy_text(given->probes, &program.probes) ||
			copy_text(given->events, &program.events)))
		result = error_no_memory(err);
	if (!result) {
		program.fd = fcntl(given->fd, F_DUPFD_CLOEXEC, 3);
		if (program.fd < 0)
			result = error_errno(err, -errno, "cannot keep the BPF program");
	}
	programs = result ? NULL
			  : reallocarray(custom->programs, custom->program_count + 1,
					 sizeof(*programs));
	if (!programs) {
		program_done(&program);
		return result ? result : error_no_memory(err);
	}
	custom->programs = programs;
	programs[custom->program_count++] = program;
	return 0;
}

void custom_done(struct custom *custom)
{
	for (size_t i = 0; i < custom->program_count; i++)
		program_done(&custom->programs[i]);
	for (uint32_t i = 0; i < custom->probe_count; i++)
		free(custom->probes[i].name);
	free(custom->programs);
	free(custom->sites);
	free(custom->probes);
	*custom = (struct custom){0};
}

bool custom_has_events(const struct custom *custom)
{
	for (size_t i = 0; i < custom->program_count; i++)
		if (custom->programs[i].events)
			return true;
	return false;
}

/* The kernel tells nobody a program's expected_attach_type. But only where the type is right it comes to
 * that there can be no uprobes. */
static bool is_for_multi(int program_fd)
{
	const struct attach_sites sites = attach_nowhere(0);
	int fd = -1;
	int result = attach_multi(program_fd, &sites, &fd);

	if (fd >= 0)
		close(fd);
	return result == -EBADF;
}

int custom_check(const struct custom *custom, bool use_multi, struct probekit_error *err)
{
	for (size_t i = 0; i < custom->program_count; i++) {
		if (is_for_multi(custom->programs[i].fd) == use_multi)
			continue;
		error_usage(err, "program '%s' was not loaded for %s", custom->programs[i].name,
			    use_multi ? "uprobe_multi links, which are used here"
				      : "perf events, which are used here");
		return error_hint(
			err, -EINVAL,
			"load it with expected_attach_type %s, as probekit_session_attach_type() says",
			use_multi ? "BPF_TRACE_UPROBE_MULTI (48)" : "0");
	}
	return 0;
}

int custom_require(const struct custom *custom, struct probekit_error *err)
{
	for (size_t i = 0; i < custom->program_count; i++) {
		const struct custom_program *program = &custom->programs[i];

		if (program->has_site)
			continue;
		error_failed(err, -ENOENT, "program '%s' finds no site of its roles",
			     program->name);
		if (program->events)
			return error_hint(err, -ENOENT, "is there a USDT probe like '%s'?",
					  program->events);
		return error_hint(err, -ENOENT,
				  "it runs at sites of probes that are measured%s%s%s",
				  program->probes ? " and match '" : "",
				  program->probes ? program->probes : "",
				  program->probes ? "'" : "");
	}
	return 0;
}
