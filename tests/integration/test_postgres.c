/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that others wrote and that carries USDT probes: PostgreSQL, under its own benchmark. */
#include "lock_runs.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIN "/usr/lib/postgresql/15/bin/"
#define SERVER BIN "postgres"

enum {
	CLIENTS = 2,
	TRANSACTIONS = 2000, /* of each client; one is one query */
	SETUP_QUERIES = 20,  /* pgbench asks for the scale and such: fewer than this */
};

struct cluster {
	char *folder;
	char *data;
	struct passwd *owner; /* whom the server runs as: it refuses root */
	struct support_child server;
};

/* Not in a fixture, which cannot skip. */
static void require_postgres(void)
{
	support_require_tracing();
	if (!support_find_tool(SERVER) || !support_find_tool(BIN "pgbench") ||
	    !getpwnam("postgres") || geteuid() != 0) {
		print_message("skipped: needs package postgresql-15, and root\n");
		skip();
	}
}

static void become_owner(void *arg)
{
	const struct passwd *owner = arg;

	if (setgroups(0, NULL) || setgid(owner->pw_gid) || setuid(owner->pw_uid))
		_exit(124);
}

/* Only a socket in the folder, so that no port can collide. */
static void start_cluster(struct cluster *cluster)
{
	struct support_how how = {.prepare = become_owner, .folder = "/"};
	struct support_child child;

	*cluster = (struct cluster){
		.folder = support_new_folder(),
		.owner = getpwnam("postgres"),
	};
	cluster->data = support_join(cluster->folder, "data");
	how.arg = cluster->owner;
	assert_int_equal(chown(cluster->folder, cluster->owner->pw_uid, cluster->owner->pw_gid), 0);
	support_run(&child, &how, BIN "initdb", "-D", cluster->data, "-A", "trust", "-N",
		    "--no-locale", NULL);
	if (child.status)
		fail_msg("initdb: %s", child.err.text);
	support_done(&child);
	support_start(&cluster->server, &how,
		      (const char *const[]){SERVER, "-D", cluster->data, "-k", cluster->folder,
					    "-c", "listen_addresses=", "-c", "fsync=off", NULL});
	if (!support_wait_text(&cluster->server, &cluster->server.err,
			       "ready to accept connections"))
		fail_msg("postgres: %s", cluster->server.err.text);
}

/* With pgbench's tables in it. */
static void start_filled_cluster(struct cluster *cluster)
{
	struct support_child child;

	start_cluster(cluster);
	support_run(&child, NULL, BIN "pgbench", "-i", "-q", "-h", cluster->folder, "-U",
		    "postgres", "postgres", NULL);
	assert_int_equal(child.status, 0);
	support_done(&child);
}

static void end_cluster(struct cluster *cluster)
{
	support_interrupt(&cluster->server);
	support_done(&cluster->server);
	free(cluster->data);
	support_remove_folder(cluster->folder);
}

/* How many transactions pgbench says that it made. */
static unsigned long run_benchmark(const struct cluster *cluster)
{
	static const char said[] = "number of transactions actually processed: ";
	struct support_child child;
	char transactions[24];
	const char *number;
	unsigned long count;

	snprintf(transactions, sizeof(transactions), "%lu", support_scaled(TRANSACTIONS));
	support_run(&child, NULL, BIN "pgbench", "-n", "-S", "-M", "simple", "-t", transactions,
		    "-c", "2", "-h", cluster->folder, "-U", "postgres", "postgres", NULL);
	number = strstr(child.out.text, said);
	if (child.status || !number)
		fail_msg("pgbench: %s%s", child.out.text, child.err.text);
	count = strtoul(number + strlen(said), NULL, 10);
	assert_int_equal(count, CLIENTS * support_scaled(TRANSACTIONS));
	support_done(&child);
	return count;
}

static void the_queries_of_an_unmodified_postgres_are_counted(void **state)
{
	static const char pair[] = "postgresql:query__start,query__done";
	const char *const words[] = {support_probekit(), "latency", SERVER, "-u", pair,
				     "--json",		 "-v",	    NULL};
	struct support_child probekit;
	struct cluster cluster;
	unsigned long transactions;
	json_t *snapshot;
	json_t *row;
	int64_t count;

	(void)state;
	require_postgres();
	start_filled_cluster(&cluster);
	support_start(&probekit, NULL, words);
	support_wait_measuring(&probekit);
	transactions = run_benchmark(&cluster);
	snapshot = support_end_measuring(&probekit);
	row = support_row(snapshot, pair);
	count = support_integer(row, "count");
	print_message("%lu transactions, %lld queries\n", transactions, (long long)count);
	assert_true(count >= (int64_t)transactions);
	assert_true(count < (int64_t)transactions + SETUP_QUERIES);
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "usdt");
	assert_int_equal(support_integer(json_object_get(row, "lost"), "unmatched_end"), 0);
	assert_int_equal(support_integer(json_object_get(row, "lost"), "abandoned"), 0);
	json_decref(snapshot);
	support_wait_untraced(cluster.server.pid, SERVER);
	end_cluster(&cluster);
	support_done(&probekit);
}

/* Its LWLocks are semaphores of shared memory, which know no owner: it is told who released them. */
static void locks_of_an_unmodified_postgres_are_told_with_who_released_them(void **state)
{
	const char *const words[] = {support_probekit(), "locks", SERVER, "--json", "-v", NULL};
	struct support_child probekit;
	struct support_child child;
	struct cluster cluster;
	json_t *snapshot;
	const json_t *row;

	(void)state;
	require_postgres();
	lock_require_true_times();
	start_filled_cluster(&cluster);
	support_start(&probekit, NULL, words);
	support_wait_measuring(&probekit);
	/* all want the one branch that there is */
	support_run(&child, NULL, BIN "pgbench", "-n", "-c", "16", "-j", "2", "-t", "250", "-h",
		    cluster.folder, "-U", "postgres", "postgres", NULL);
	if (child.status)
		fail_msg("pgbench: %s%s", child.out.text, child.err.text);
	support_done(&child);
	snapshot = support_end_measuring(&probekit);
	row = lock_row_with(snapshot, "kind", "semaphore");
	assert_non_null(row);
	assert_true(json_is_true(json_object_get(row, "is_shared")));
	assert_int_equal(json_array_size(json_object_get(row, "holders")), 0);
	print_message("%lld waits\n", (long long)support_integer(row, "waits"));
	lock_rows_require_function(row, "waiters", "PGSemaphoreLock", .9);
	lock_rows_require_function(row, "waiters", "LWLockAcquire", .5);
	/* (of all wakers not all are listed) */
	lock_rows_require_function(row, "wakers", "PGSemaphoreUnlock", .5);
	lock_rows_require_function(row, "wakers", "LWLockRelease", .5);
	json_decref(snapshot);
	support_wait_untraced(cluster.server.pid, SERVER);
	end_cluster(&cluster);
	support_done(&probekit);
}

static const json_t *find_entry(json_t *entries, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (entries, i, entry)
		if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
			return entry;
	return NULL;
}

static void the_probes_of_an_unmodified_postgres_are_paired_by_name(void **state)
{
	static const char *const pairs[] = {
		"postgresql:query__start,query__done",
		"postgresql:query__parse__start,query__parse__done",
		"postgresql:query__execute__start,query__execute__done",
		"postgresql:transaction__start,transaction__commit|transaction__abort",
		"postgresql:checkpoint__start,checkpoint__done",
		"postgresql:buffer__read__start,buffer__read__done",
		"postgresql:lock__wait__start,lock__wait__done",
		"postgresql:sort__start,sort__done",
	};
	struct support_child child;
	json_t *list;
	json_t *entries;

	(void)state;
	if (!support_find_tool(SERVER)) {
		print_message("skipped: needs package postgresql-15\n");
		skip();
	}
	support_run(&child, NULL, support_probekit(), "list", "--json", SERVER, NULL);
	assert_int_equal(child.status, 0);
	list = support_json(child.out.text);
	entries = json_object_get(list, "entries");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const json_t *entry = find_entry(entries, pairs[i]);

		if (!entry)
			fail_msg("not listed: %s", pairs[i]);
		assert_string_equal(json_string_value(json_object_get(entry, "kind")), "pair");
		assert_true(support_integer(entry, "sites") > 0);
		assert_true(support_integer(entry, "end_sites") > 0);
		assert_true(json_is_true(json_object_get(entry, "has_semaphore")));
	}
	/* Of no pair; and with arguments that only a symbol table could resolve. */
	assert_non_null(find_entry(entries, "postgresql:deadlock__found"));
	assert_non_null(find_entry(entries, "postgresql:checkpoint__done"));
	json_decref(list);
	support_done(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queries_of_an_unmodified_postgres_are_counted),
		cmocka_unit_test(locks_of_an_unmodified_postgres_are_told_with_who_released_them),
		cmocka_unit_test(the_probes_of_an_unmodified_postgres_are_paired_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
