/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the raw calls: libbpf before 1.3 knows no uprobe_multi. */
#include "attach.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shield.h"

#define MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */
#define PERF_RETURN \
	1 /* in an event's config: /sys/bus/event_source/devices/uprobe/format/retprobe */

/* The BPF_LINK_CREATE part of union bpf_attr for uprobe_multi (include/uapi/linux/bpf.h). */
struct link_create_multi {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t padding;
};

struct link_create_perf {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t bpf_cookie;
};

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static int link_create(void *attributes, size_t size)
{
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, attributes, size);

	return fd < 0 ? -errno : fd;
}

static int create_multi(void *attributes)
{
	return link_create(attributes, sizeof(struct link_create_multi));
}

int attach_multi(int program_fd, const struct attach_sites *sites, int *fd)
{
	struct link_create_multi attributes = {
		.prog_fd = (uint32_t)program_fd,
		.attach_type = ATTACH_TYPE_UPROBE_MULTI,
		.path = address_of(sites->path),
		.offsets = address_of(sites->offsets),
		.ref_ctr_offsets = address_of(sites->semaphore_offsets),
		.cookies = address_of(sites->cookies),
		.cnt = (uint32_t)sites->count,
		.multi_flags = sites->is_return ? MULTI_RETURN : 0,
		.pid = (uint32_t)sites->pid,
	};
	int result = shield_run(create_multi, &attributes);

	if (result < 0)
		return result;
	*fd = result;
	return 0;
}

struct attach_sites attach_nowhere(pid_t pid)
{
	static const uint64_t zero;

	return (struct attach_sites){
		.path = "/",
		.count = 1,
		.offsets = &zero,
		.semaphore_offsets = &zero,
		.cookies = &zero,
		.pid = pid,
	};
}

int attach_perf_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type;

	if (!file)
		return -errno;
	if (fscanf(file, "%d", &type) != 1)
		type = -EINVAL;
	fclose(file);
	return type;
}

static int attach_one(int program_fd, int type, const struct attach_sites *sites, size_t i, int *fd)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.type = (uint32_t)type,
		/* config's upper half is the semaphore's offset, kernel/trace/trace_event_perf.c */
		.config = sites->semaphore_offsets[i] << 32 | (sites->is_return ? PERF_RETURN : 0),
		.config1 = address_of(sites->path),
		.config2 = sites->offsets[i],
	};
	struct link_create_perf attributes = {
		.prog_fd = (uint32_t)program_fd,
		.attach_type = BPF_PERF_EVENT,
		.bpf_cookie = sites->cookies[i],
	};
	int event_fd;
	int result;

	if (sites->semaphore_offsets[i] >> 32)
		return -EOVERFLOW;
	event_fd = (int)syscall(SYS_perf_event_open, &event, sites->pid ? sites->pid : -1,
				sites->pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event_fd < 0)
		return -errno;
	attributes.target_fd = (uint32_t)event_fd;
	result = link_create(&attributes, sizeof(attributes));
	if (result >= 0)
		*fd = result;
	/* The link holds the event; ours goes only after the link, as detaching needs no event. */
	close(event_fd);
	return result < 0 ? result : 0;
}

struct perf_request {
	int program_fd;
	int type;
	const struct attach_sites *sites;
	struct attach_links *links; /* with room for all */
};

/* On error those made before stay. */
static int attach_each(void *arg)
{
	const struct perf_request *request = arg;
	struct attach_links *links = request->links;
	int result = 0;

	for (size_t i = 0; i < request->sites->count && !result; i++) {
		result = attach_one(request->program_fd, request->type, request->sites, i,
				    &links->fds[links->size]);
		links->size += !result;
	}
	return result;
}

static int reserve(struct attach_links *links, size_t count)
{
	size_t capacity = links->capacity ? links->capacity : 16;
	int *fds;

	if (links->size + count <= links->capacity)
		return 0;
	while (capacity < links->size + count)
		capacity *= 2;
	fds = reallocarray(links->fds, capacity, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	links->fds = fds;
	links->capacity = capacity;
	return 0;
}

int attach_perf(int program_fd, const struct attach_sites *sites, struct attach_links *links)
{
	struct perf_request request = {
		.program_fd = program_fd,
		.type = attach_perf_type(),
		.sites = sites,
		.links = links,
	};
	size_t before = links->size;
	int result = request.type < 0 ? request.type : reserve(links, sites->count);

	if (result)
		return result;
	result = shield_run(attach_each, &request);
	if (result)
		attach_links_close(links, before);
	return result;
}

int attach_program(int program_fd, bool use_multi, const struct attach_sites *sites,
		   struct attach_links *links)
{
	int result;
	int fd;

	if (!use_multi)
		return attach_perf(program_fd, sites, links);
	result = reserve(links, 1);
	if (!result)
		result = attach_multi(program_fd, sites, &fd);
	if (!result)
		links->fds[links->size++] = fd;
	return result;
}

int attach_links_add(struct attach_links *links, int fd)
{
	int result = reserve(links, 1);

	if (!result)
		links->fds[links->size++] = fd;
	return result;
}

/* ---- detaching ---- */

/* Closing a link waits for the kernel's grace periods, 30 to 100 ms; those of several threads pass
 * at once. Functions are some ten or twenty links, so that each has a thread of its own. */
#define CLOSERS 32

struct closer {
	const int *fds;
	size_t size;
	pthread_t thread;
	bool is_started;
};

static int close_each(void *arg)
{
	const struct closer *closer = arg;

	for (size_t i = 0; i < closer->size; i++)
		close(closer->fds[i]);
	return 0;
}

static void *close_all(void *arg)
{
	shield_run(close_each, arg);
	return NULL;
}

static void close_at_once(const int *fds, size_t size)
{
	struct closer closers[CLOSERS] = {0};
	size_t each = (size + CLOSERS - 1) / CLOSERS;

	for (size_t i = 0; i < CLOSERS && i * each < size; i++) {
		closers[i].fds = fds + i * each;
		closers[i].size = size - i * each < each ? size - i * each : each;
		closers[i].is_started = size > 1 && pthread_create(&closers[i].thread, NULL,
								   close_all, &closers[i]) == 0;
		if (!closers[i].is_started)
			close_all(&closers[i]);
	}
	for (size_t i = 0; i < CLOSERS; i++)
		if (closers[i].is_started)
			pthread_join(closers[i].thread, NULL);
}

void attach_links_close(struct attach_links *links, size_t from)
{
	if (links->size > from) {
		close_at_once(links->fds + from, links->size - from);
		links->size = from;
	}
	if (from == 0) {
		free(links->fds);
		*links = (struct attach_links){0};
	}
}
