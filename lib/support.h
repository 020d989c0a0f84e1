/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SUPPORT_H
#define PROBEKIT_SUPPORT_H
/* The rows of struct probekit_support, as those who find them out write them. */
#include "error.h"
#include "features.h"
#include "privilege.h"

#define SUPPORT_MAX_ROWS 48

struct support_row {
	struct probekit_support_row row; /* its strings are the ones below, or literals */
	char found[640];
	char cost[256];
	char advice[320];
	char command[512];
};

struct probekit_support {
	struct support_row rows[SUPPORT_MAX_ROWS];
	size_t size;
	char *target;	/* as the user named it; NULL: none */
	bool is_by_pid; /* the target is a process */
	struct privilege privilege;
	bool knows_uprobe_multi;  /* else capabilities do not suffice */
	struct features features; /* all of them */
	bool can_measure;
	char verdict[1024];
	const struct probekit_support_row *first; /* to mend */
};

/* A new row, OK until something else is said. Never NULL: beyond the limit it is the last one. */
struct support_row *support_add(struct probekit_support *support, const char *group,
				const char *name, const char *title,
				enum probekit_support_need need);
void support_found(struct support_row *row, enum probekit_support_state state, const char *format,
		   ...) ERROR_PRINTF(3, 4);
void support_cost(struct support_row *row, const char *format, ...) ERROR_PRINTF(2, 3);
void support_advice(struct support_row *row, const char *format, ...) ERROR_PRINTF(2, 3);
void support_command(struct support_row *row, const char *format, ...) ERROR_PRINTF(2, 3);
/* What gives this program the capabilities that measuring needs and `wanted` (bits) beside those it
 * has: setcap(8) where that helps, else words. */
void support_mend_by_capabilities(const struct probekit_support *support, struct support_row *row,
				  uint64_t wanted);

/* The first line of a file without its newline; -errno. */
int support_read_line(const char *path, char *line, size_t size);

/* The groups of rows; `support->features` is filled by the first. */
void support_add_kernel(struct probekit_support *support, struct trial *trial);
void support_add_user(struct probekit_support *support);
void support_add_system(struct probekit_support *support);
/* Where the target cannot be one to anybody: an error, and no rows. */
int support_add_target(struct probekit_support *support, pid_t pid, const char *path,
		       struct probekit_error *err);

#endif
