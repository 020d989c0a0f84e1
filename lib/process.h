/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROCESS_H
#define PROBEKIT_PROCESS_H
/* What /proc tells about processes. */
#include <sys/types.h>

#include "object.h"
#include "proc_maps.h"

/* A descriptor that becomes readable when `pid` ends. -ESRCH and -EPERM come as clear errors. */
int process_open(pid_t pid, int *pidfd, struct probekit_error *err);

/* It is no more, and was waited for. */
bool process_has_ended(pid_t pid);

/* /proc/PID/maps as it is now; proc_maps_done() it. */
int process_read_maps(pid_t pid, struct proc_maps *maps, struct probekit_error *err);

/* Adds every file that `pid` maps as code to `objects`, its executable first. Files are opened
 * inside the process's root directory; those that cannot be read, or are no ELF files, are skipped
 * and counted in *skipped, unless it is the executable. */
int process_objects(pid_t pid, struct objects *objects, size_t *skipped,
		    struct probekit_error *err);

/* Does the process map the object as code? */
int process_maps(pid_t pid, const struct object *object, bool *is_mapped,
		 struct probekit_error *err);

/* Are the PIDs in /proc the kernel's own? In another PID namespace than the first they are not. */
bool process_has_kernel_pids(void);

/* In a PID namespace, /proc may be another's: then its numbers are not those that the kernel takes from us, and
 * nothing can be told. -ENOTSUP. */
int process_check_proc(struct probekit_error *err);

/* The name of a thread; "" where it has ended or cannot be told. */
void process_thread_name(pid_t pid, pid_t tid, char name[static 16]);

/* Calls `visit` for each process that maps the object as code now, as far as we may see. */
void process_each_user(const struct object *object, void (*visit)(pid_t pid, void *arg), void *arg);
/* How many they are. */
size_t process_count_users(const struct object *object);

#endif
