/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PLAN_H
#define PROBEKIT_PLAN_H
/*
 * The probe plan: which probes are measured, at which sites of which objects, and into which rows.
 * From ELF facts and the user's selection alone; nothing here talks to the kernel.
 */
#include "engine.h"
#include "object.h"

/* What the user asked for. Nothing at all: every probekit span. */
struct selection {
	char **globs;
	size_t glob_count;
	struct function_pattern {
		char *text; /* "LIB:GLOB" or "GLOB" */
		const char *glob;
		char library[256]; /* "": the program itself */
		size_t found;
		size_t refused;	     /* that match and cannot be probed */
		char *first_refused; /* one of them, and why; NULL */
	} * functions;
	size_t function_count;
	struct pair {
		char *text; /* "PROVIDER:BEGIN,END|END" */
		char *provider;
		char *begin;
		char **ends;
		size_t end_count;
	} * pairs;
	size_t pair_count;
};

int selection_add_glob(struct selection *selection, const char *glob, struct probekit_error *err);
int selection_add_function(struct selection *selection, const char *pattern,
			   struct probekit_error *err);
int selection_add_pair(struct selection *selection, const char *text, struct probekit_error *err);
void selection_done(struct selection *selection);

struct plan_probe {
	char *name;
	enum probekit_kind kind;
	char *objects;	/* paths, joined by ", " */
	char *build_id; /* of the first; may be NULL */
	uint32_t row;	/* the first; UINT32_MAX: none yet */
	uint32_t sites; /* of begin, or of the value */
	uint32_t end_sites;
	bool has_keys;
	bool is_fast; /* every site is one of ours */
	/* Of functions. */
	enum probekit_cost cost; /* of its dearest entry */
	bool is_by_exits;
	uint32_t batch; /* they are attached in batches, from 1 on; 0: not yet, or of another kind;
			   UINT32_MAX: it was dropped or refused */
	uint64_t dropped_ns; /* when it was detached for what it cost, CLOCK_MONOTONIC; 0: it was not */
	bool is_refused;     /* by the kernel */
	bool is_odd;	     /* how often its links have been renewed */
};

struct plan_site {
	uint32_t object; /* index */
	uint32_t site;	 /* in the object's table */
	uint32_t probe;
	enum program program;
	bool has_key;
	/* Of functions, in place of a number in the table. */
	uint64_t offset;
	uint64_t cookie_bits; /* flags and condition, at their place in a cookie */
};

struct plan {
	struct plan_probe *probes;
	uint32_t probe_count;
	struct plan_site *sites;
	uint32_t site_count;
	uint32_t row_count;
	/* Room in the kernel's maps once loaded; UINT32_MAX before. What finds none is counted. */
	uint32_t max_probes;
	uint32_t max_sites;
	uint32_t max_rows;
	size_t left_out;
};

void plan_init(struct plan *plan);
void plan_done(struct plan *plan);

/* Adds the sites of objects[index] that the selection names. */
int plan_add_object(struct plan *plan, const struct objects *objects, uint32_t index,
		    const struct selection *selection, struct probekit_error *err);

/* Adds the functions of objects[index] that the selection names; a pattern's `found` counts them. */
int plan_add_functions(struct plan *plan, const struct objects *objects, uint32_t index,
		       struct selection *selection, struct probekit_error *err);

/* Adds the functions of objects[index] that take and release locks, as one probe, PROBEKIT_HOLDS_NAME. */
int plan_add_holds(struct plan *plan, const struct objects *objects, uint32_t index,
		   struct probekit_error *err);
bool plan_has_holds(const struct plan *plan);

/* Gives rows to the probes that have none yet; call when all objects known by now are added, as a
 * probe with keys takes more of them. */
void plan_number_rows(struct plan *plan);

/* The error of a pattern "LIB:GLOB" whose library is not among the objects. */
int plan_no_library(const struct objects *objects, const char *library, struct probekit_error *err);

/* An error that says what is wrong unless every glob and pair has found its probe. Which is what
 * the message names; the objects' other probes, or functions worth a span, are the hint. */
int plan_require(const struct plan *plan, const struct objects *objects,
		 const struct selection *selection, struct probekit_error *err);

/* ---- for the plan's own sources ---- */

/* The probe of this name and kind, made where there is none. -ENOSPC, -ENOMEM. */
int plan_find_probe(struct plan *plan, const char *name, enum probekit_kind kind, uint32_t *probe);
/* -ENOSPC, -ENOMEM. */
int plan_append_site(struct plan *plan, const struct plan_site *site);
/* Tells the probe that it has sites in the object. -ENOMEM. */
int plan_note_object(struct plan_probe *probe, const struct object *object);

#endif
