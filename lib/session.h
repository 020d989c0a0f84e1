/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SESSION_H
#define PROBEKIT_SESSION_H
/* The session's state, shared by session.c (its life) and session_snapshot.c (what it measured). */
#include "attachment.h"
#include "calibrate.h"
#include "command.h"
#include "features.h"
#include "plan.h"
#include "proc_maps.h"
#include "snapshot.h"

struct watched_process {
	int pidfd;
	bool has_ended;
};

/* Extremes since a moment, as in struct row; both 0: nothing. */
struct extremes {
	uint64_t max;
	uint64_t inverted_min;
};

/* What of a row the kernel does not keep. */
struct row_history {
	struct extremes whole;
	struct extremes interval;
	struct extremes last; /* of the last interval that counted any */
	uint64_t counted;     /* at its end */
};

/* A file that the command has mapped as code, and that was planned if it could be. */
struct seen_file {
	uint64_t inode;
	uint32_t major;
	uint32_t minor;
};

enum session_state {
	SESSION_NEW,
	SESSION_RUNNING,
	SESSION_STOPPED,
	SESSION_FAILED,
};

/* What a lock's address in a process is called; NULLs where that is not known. */
struct named_lock {
	pid_t pid;
	uint64_t address;
	char *symbol;
	char *place;
};

struct probekit_session {
	struct probekit_session_options options;
	enum session_state state;

	struct selection selection;
	struct objects objects;
	size_t path_count;		 /* of the objects, those given by path: the first ones */
	pid_t *pids;			 /* given by PID, and the command's */
	struct watched_process *watched; /* the same processes */
	size_t pid_count;
	struct command command;
	size_t users_at_start;
	char *target;

	struct features features;
	struct plan plan;
	struct engine *engine;
	struct attachment attachment;
	struct calibration calibration;
	int64_t started_unix_ns;
	uint64_t started_ns; /* CLOCK_MONOTONIC, as the programs' times */
	uint64_t stopped_ns; /* 0: not yet */
	uint64_t last_scan_ns;
	struct seen_file *seen;
	size_t seen_count;
	struct proc_maps command_maps; /* when they were last looked at */
	struct proc_maps lock_maps;    /* of lock_maps_pid, while locks are named */
	pid_t lock_maps_pid;
	struct named_lock *locks;
	size_t lock_count;

	struct row_history *history;	    /* by row of the plan; max_rows of them */
	struct probekit_snapshot *previous; /* the whole at the last interval */
	uint64_t interval_start_ns;
	struct open_record *open; /* noted at the stop */
	size_t open_count;
};

uint64_t session_now_ns(void);
void session_log(const struct probekit_session *session, enum probekit_log_level level,
		 const char *format, ...) ERROR_PRINTF(3, 4);
/* The rows of a snapshot while it is made. */
struct session_rows {
	struct probekit_session *session;
	struct probekit_snapshot *snapshot;
};
/* The row of a probe itself (the kernel's number), not of a key; NULL for the calibration's. */
struct probekit_probe *session_own_row(const struct session_rows *rows, uint32_t probe);
/* Fills the rows' waits. -ENOMEM. */
int session_add_waits(struct session_rows *rows);
/* Names the locks that were waited for while their processes are still there. -ENOMEM. */
int session_name_locks(struct probekit_session *session);
void session_forget_locks(struct probekit_session *session);
/* Reads the open spans into session->open. */
int session_note_open(struct probekit_session *session, struct probekit_error *err);

#endif
