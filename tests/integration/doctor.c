/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns asking probekit doctor, as several users, and what holds of every answer. */
#include "doctor.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void copy(const char *from, const char *to)
{
	size_t size_bytes;
	char *data = support_read_file(from, &size_bytes);

	support_write_file(to, data, size_bytes);
	assert_int_equal(chmod(to, 0755), 0);
	free(data);
}

int doctor_set_up(void **state)
{
	struct doctor_copies *copies = calloc(1, sizeof(*copies));
	char *library;
	char *built;

	assert_non_null(copies);
	copies->folder = support_new_folder();
	copies->probekit = support_join(copies->folder, "probekit");
	copies->victim = support_join(copies->folder, "victim");
	library = support_join(copies->folder, "libprobekit.so.0");
	assert_true(asprintf(&built, "%s/libprobekit.so.0", getenv("PROBEKIT_BUILD")) > 0);
	copy(built, library);
	copy(support_probekit(), copies->probekit);
	copy(support_program("victim"), copies->victim);
	setenv("LD_LIBRARY_PATH", copies->folder, 1);
	free(built);
	free(library);
	*state = copies;
	return 0;
}

int doctor_tear_down(void **state)
{
	struct doctor_copies *copies = *state;

	unsetenv("PROBEKIT_DISABLE_FEATURES");
	support_remove_folder(copies->folder);
	free(copies->probekit);
	free(copies->victim);
	free(copies);
	return 0;
}

void doctor_require_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root: to become other users\n");
	skip();
}

/* ---- who asks ---- */

/* In the child: an ordinary user with these capabilities (bits) and no other. */
void doctor_become_user(void *arg)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t capabilities = *(const uint64_t *)arg;

	for (int i = 0; i < 2; i++)
		data[i].permitted = data[i].inheritable = (uint32_t)(capabilities >> 32 * i);
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresgid(DOCTOR_USER, DOCTOR_USER, DOCTOR_USER) ||
	    setresuid(DOCTOR_USER, DOCTOR_USER, DOCTOR_USER) || syscall(SYS_capset, &header, data))
		_exit(124);
	for (unsigned long i = 0; i < 64; i++)
		if (capabilities >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			_exit(124);
}

static uint64_t nothing = 0;
static uint64_t two = UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON;
const struct support_how doctor_nobody = {.prepare = doctor_become_user, .arg = &nothing};
const struct support_how doctor_tracer = {.prepare = doctor_become_user, .arg = &two};

/* ---- what it answers ---- */

void doctor_done(struct doctor_answer *answer)
{
	json_decref(answer->json);
}

const char *doctor_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : "";
}

static json_t *find_row(const struct doctor_answer *answer, const char *name)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(answer->json, "rows"), i, row)
		if (strcmp(doctor_text(row, "name"), name) == 0)
			return row;
	return NULL;
}

json_t *doctor_row(const struct doctor_answer *answer, const char *name)
{
	json_t *row = find_row(answer, name);

	if (!row)
		fail_msg("no row '%s'", name);
	return row;
}

bool doctor_has_state(const struct doctor_answer *answer, const char *name, const char *state)
{
	return strcmp(doctor_text(doctor_row(answer, name), "state"), state) == 0;
}

void doctor_check_text(const json_t *object, const char *key, const char *wanted)
{
	if (!strstr(doctor_text(object, key), wanted))
		fail_msg("no \"%s\" in %s of %s: %s", wanted, key, doctor_text(object, "name"),
			 doctor_text(object, key));
}

static bool is_one_of(const char *text, const char *const words[])
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* What holds of every row, whoever asks and wherever. */
static void check_row(json_t *row)
{
	static const char *const states[] = {"ok", "limited", "missing", "unknown", NULL};
	static const char *const needs[] = {"required", "useful", "information", NULL};
	static const char *const groups[] = {"kernel", "user", "system", "target", NULL};
	const char *state = doctor_text(row, "state");
	bool is_amiss = strcmp(state, "limited") == 0 || strcmp(state, "missing") == 0;

	if (!*doctor_text(row, "name") || !*doctor_text(row, "title") ||
	    !*doctor_text(row, "found"))
		fail_msg("a row without name, title or finding: %s", doctor_text(row, "name"));
	if (!is_one_of(state, states) || !is_one_of(doctor_text(row, "need"), needs) ||
	    !is_one_of(doctor_text(row, "group"), groups))
		fail_msg("odd words in row %s", doctor_text(row, "name"));
	if (is_amiss && strcmp(doctor_text(row, "need"), "information") != 0 &&
	    !*doctor_text(row, "cost"))
		fail_msg("%s is %s and costs nothing", doctor_text(row, "name"), state);
	if (strcmp(state, "ok") == 0 && (*doctor_text(row, "cost") || *doctor_text(row, "command")))
		fail_msg("%s is ok and has a cost or remedy", doctor_text(row, "name"));
}

static void check_answer(const struct doctor_answer *answer)
{
	const char *verdict = doctor_text(answer->json, "verdict");
	json_t *row;
	size_t i;

	assert_string_equal(doctor_text(answer->json, "schema"), "probekit.doctor/1");
	json_array_foreach (json_object_get(answer->json, "rows"), i, row)
		check_row(row);
	assert_true(answer->status == 0 || answer->status == DOCTOR_CANNOT_MEASURE);
	assert_int_equal(answer->status == 0, strstr(verdict, "can be measured") != NULL);
	assert_int_equal(answer->status == DOCTOR_CANNOT_MEASURE,
			 strcmp(doctor_text(answer->json, "state"), "missing") == 0);
}

/* `option` and `value` may be NULL. */
struct doctor_answer doctor_ask(const struct doctor_copies *copies, const struct support_how *how,
				const char *option, const char *value)
{
	const char *const words[] = {
		copies->probekit,      "doctor", "--json", option ? option : value,
		option ? value : NULL, NULL};
	struct support_child child;
	struct doctor_answer answer;

	support_start(&child, how, words);
	answer.status = support_finish(&child);
	if (answer.status != 0 && answer.status != DOCTOR_CANNOT_MEASURE)
		fail_msg("status %d: %s%s", answer.status, child.out.text, child.err.text);
	assert_string_equal(child.err.text, "");
	answer.json = support_json(child.out.text);
	support_done(&child);
	check_answer(&answer);
	return answer;
}

struct doctor_answer doctor_ask_here(const struct doctor_copies *copies,
				     const struct support_how *how)
{
	return doctor_ask(copies, how, NULL, NULL);
}
