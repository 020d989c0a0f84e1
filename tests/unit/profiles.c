/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiles.h"

#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

static void *check(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static const char *copy(const char *text)
{
	return text ? check(strdup(text)) : NULL;
}

struct probekit_profile *profile_new(void)
{
	struct probekit_profile *profile = check(calloc(1, sizeof(*profile)));

	profile->info = (struct probekit_profile_info){
		.target = copy("app"),
		.started_unix_ns = 1700000000000000000,
		.duration_ns = 10000000000,
		.profiling = PROBEKIT_PROFILING_WHOLE,
	};
	return profile;
}

static void free_stack(struct probekit_stack *stack)
{
	for (size_t i = 0; i < stack->size; i++) {
		free((void *)stack->frames[i].function);
		free((void *)stack->frames[i].module);
		free((void *)stack->frames[i].file);
	}
	free(stack->frames);
}

void profile_free(struct probekit_profile *profile)
{
	for (size_t i = 0; i < profile->size; i++) {
		free_stack(&profile->entries[i].stack);
		free_stack(&profile->entries[i].kernel_stack);
		free((void *)profile->entries[i].comm);
	}
	free(profile->entries);
	free((void *)profile->info.target);
	free(profile);
}

static void read_frames(const char *text, const char *module, struct probekit_stack *stack)
{
	bool is_kernel = *module == '[';
	char *names;
	char *rest;
	char *name;

	*stack = (struct probekit_stack){.is_complete = true, .share = 1};
	if (!text || !*text)
		return;
	rest = names = check(strdup(text));
	while ((name = strsep(&rest, ";"))) {
		struct probekit_frame frame = {
			.function = copy(name),
			.module = copy(module),
			.file = copy(is_kernel ? NULL : "app.c"),
			.line = is_kernel ? 0 : 10,
		};

		for (const char *c = name; *c; c++)
			frame.module_offset = 31 * frame.module_offset + (unsigned char)*c;
		stack->frames = check(realloc(stack->frames, (stack->size + 1) * sizeof(frame)));
		memmove(stack->frames + 1, stack->frames, stack->size * sizeof(frame));
		stack->frames[0] = frame;
		stack->size++;
	}
	free(names);
}

struct probekit_profile_entry *profile_add(struct probekit_profile *profile,
					   enum probekit_class time_class, const char *stack,
					   const char *kernel_stack, uint64_t time_ns)
{
	struct probekit_profile_entry *entry;

	profile->entries =
		check(realloc(profile->entries, (profile->size + 1) * sizeof(*profile->entries)));
	entry = &profile->entries[profile->size++];
	*entry = (struct probekit_profile_entry){
		.time_class = time_class,
		.pid = 42,
		.comm = copy("app"),
		.time_ns = time_ns,
		.samples = 1,
	};
	read_frames(stack, "/usr/bin/app", &entry->stack);
	read_frames(kernel_stack, "[kernel]", &entry->kernel_stack);
	profile->info.time_ns[time_class] += time_ns;
	return entry;
}

void profile_set_frame(struct probekit_profile_entry *entry, size_t frame, const char *function,
		       const char *module)
{
	struct probekit_frame *changed = &entry->stack.frames[frame];

	free((void *)changed->function);
	free((void *)changed->module);
	changed->function = copy(function);
	changed->module = copy(module);
}

struct probekit_profile *profile_of_service(void)
{
	static const struct {
		enum probekit_class time_class;
		const char *syscall;
		const char *stack;
		const char *kernel_stack;
		uint64_t time_ns;
	} entries[] = {
		{PROBEKIT_CLASS_LOCK, "futex",
		 "_start;main;serve;handle_request;append_line;pthread_mutex_lock",
		 "do_syscall_64;futex_wait;schedule", 5200 * MS},
		{PROBEKIT_CLASS_DISK, "fsync",
		 "_start;main;serve;handle_request;append_line;flush_log;fsync",
		 "do_syscall_64;ext4_sync_file;jbd2_log_wait_commit;schedule", 2400 * MS},
		{PROBEKIT_CLASS_POLL, "epoll_wait", "_start;main;serve;wait_for_event;epoll_wait",
		 "do_syscall_64;ep_poll;schedule", 1900 * MS},
		{PROBEKIT_CLASS_NETWORK, "recvfrom",
		 "_start;main;serve;handle_request;"
		 "std::vector<std::pair<int, char>>::emplace_back(int&&, char&&);recv",
		 "do_syscall_64;tcp_recvmsg;schedule", 700 * MS},
		{PROBEKIT_CLASS_SLEEP, "clock_nanosleep",
		 "clone;start_thread;housekeeping;nanosleep",
		 "do_syscall_64;hrtimer_nanosleep;schedule", 900 * MS},
		{PROBEKIT_CLASS_RUNQUEUE, NULL, "_start;main;serve;handle_request;parse", NULL,
		 150 * MS},
		{PROBEKIT_CLASS_PAGEFAULT, NULL, "_start;main;serve;handle_request;parse;memcpy",
		 "asm_exc_page_fault;filemap_fault;folio_wait_bit;schedule", 60 * MS},
		{PROBEKIT_CLASS_OTHER, NULL, NULL, NULL, 30 * MS},
		{PROBEKIT_CLASS_ONCPU, NULL, "_start;main;serve;handle_request;parse", NULL,
		 1300 * MS},
		{PROBEKIT_CLASS_ONCPU, NULL, "_start;main;serve;handle_request;parse;memcpy", NULL,
		 800 * MS},
		{PROBEKIT_CLASS_ONCPU, NULL, "_start;main;serve;handle_request;append_line;write",
		 "do_syscall_64;ext4_file_write_iter;copy_page_from_iter", 600 * MS},
		{PROBEKIT_CLASS_ONCPU, NULL, "_start;main;serve;wait_for_event;epoll_wait",
		 "do_syscall_64;ep_poll", 90 * MS},
	};
	struct probekit_profile *profile = profile_new();

	profile->info.has_oncpu = true;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		profile_add(profile, entries[i].time_class, entries[i].stack,
			    entries[i].kernel_stack, entries[i].time_ns)
			->syscall = entries[i].syscall;
	return profile;
}
