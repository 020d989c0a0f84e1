/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_JSON_PARTS_H
#define PROBEKIT_JSON_PARTS_H
/*
 * Values that several members of a snapshot's JSON have in common, both ways. Nothing known is null
 * or [], and reading null or nothing leaves the target as it is.
 */
#include "json_read.h"
#include "json_text.h"

/* A lock: `kind` is NULL where it does not apply. */
struct json_lock {
	uint64_t address; /* 0: none */
	const char *symbol;
	const char *place;
	const char *kind;
};

void json_count_or_null(struct json_text *json, const char *key, uint64_t value);
/* Within 0 and 1: what was counted while it was read may be a little beyond. */
void json_share(struct json_text *json, const char *key, double share);
/* RFC 3339 in UTC with nine decimals; null before 1970. */
void json_instant(struct json_text *json, const char *key, int64_t unix_ns);
void json_times(struct json_text *json, const uint64_t time_ns[static PROBEKIT_CLASS_COUNT]);
void json_address(struct json_text *json, const char *key, uint64_t value);
/* Member histogram; `unit` is "s" or "1". */
void json_histogram(struct json_text *json, const char *unit, const struct probekit_histogram *h);
void json_lock(struct json_text *json, const char *key, const struct json_lock *lock);
/* Members pid, tid and comm. */
void json_thread_ids(struct json_text *json, const struct probekit_thread *thread);
void json_thread(struct json_text *json, const char *key, const struct probekit_thread *thread);
/* The same with its stack. */
void json_thread_at(struct json_text *json, const char *key, const struct probekit_thread *thread,
		    const struct probekit_stack *stack);
/* Members KEY, KEY_share, KEY_is_complete and KEY_end. */
void json_stack(struct json_text *json, const char *key, const struct probekit_stack *stack);
/* Member stacks. */
void json_stack_ends(struct json_text *json, bool is_known,
		     const uint64_t counts[static PROBEKIT_STACK_END_COUNT]);
/* Members file, peer, mapping and cgroup, of which a class has one, and direction. */
void json_object_of(struct json_text *json, enum probekit_class time_class, const char *object,
		    const char *direction);

int json_read_instant(const struct json_reader *r, const struct json_value *object, const char *key,
		      int64_t *unix_ns);
/* `is_known` is false where it is null or missing. */
int json_read_times(struct json_reader *r, const struct json_value *object,
		    uint64_t time_ns[static PROBEKIT_CLASS_COUNT], bool *is_known);
int json_read_class(const struct json_reader *r, const struct json_value *object,
		    enum probekit_class *time_class);
int json_read_address(const struct json_reader *r, const struct json_value *object, const char *key,
		      uint64_t *address);
/* Its unit has to be `unit`. */
int json_read_histogram(struct json_reader *r, const struct json_value *object, const char *unit,
			struct probekit_histogram *histogram);
int json_read_lock(struct json_reader *r, const struct json_value *object, const char *key,
		   struct json_lock *lock);
int json_read_comm(const struct json_reader *r, const struct json_value *object,
		   char comm[static 16]);
/* Members pid, tid and comm. */
int json_read_thread_ids(const struct json_reader *r, const struct json_value *object,
			 struct probekit_thread *thread);
/* `stack` is NULL where threads have none. */
int json_read_thread(struct json_reader *r, const struct json_value *object, const char *key,
		     struct probekit_thread *thread, struct probekit_stack *stack);
int json_read_stack(struct json_reader *r, const struct json_value *object, const char *key,
		    struct probekit_stack *stack);
/* `is_known` is false where it is null or missing. */
int json_read_stack_ends(struct json_reader *r, const struct json_value *object, bool *is_known,
			 uint64_t counts[static PROBEKIT_STACK_END_COUNT]);
int json_read_object_of(const struct json_reader *r, const struct json_value *object,
			enum probekit_class time_class, const char **name, const char **direction);
/* Calls `read` for each element of the list, whose place is entered. */
int json_read_each(struct json_reader *r, const struct json_value *object, const char *key,
		   int (*read)(struct json_reader *r, const struct json_value *element, size_t i,
			       void *arg),
		   void *arg);
/* Room for the list's elements, zeroed, and their number; NULL and 0 for none. */
int json_read_room(const struct json_reader *r, const struct json_value *object, const char *key,
		   size_t element_bytes, void **room, size_t *size);

/* The member that holds what waits of a class were for. */
const char *json_object_key(enum probekit_class time_class);

#endif
