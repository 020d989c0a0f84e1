/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of the caller's own that do not fit, and what is said of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tally_program.h"

static struct probekit_session *new_session(const char *path, bool only)
{
	const struct probekit_session_options options = {
		.size = sizeof(options),
		.only_programs = only,
	};
	struct probekit_session *session;
	struct probekit_error err;

	assert_int_equal(probekit_session_new(&options, &session, &err), 0);
	assert_int_equal(probekit_session_add_path(session, path, &err), 0);
	return session;
}

static void assert_refused(int result, int code, const struct probekit_error *err, const char *text)
{
	assert_int_equal(result, code);
	if (!strstr(err->text, text) && !strstr(err->hint, text))
		fail_msg("'%s' is neither in '%s' nor in '%s'", text, err->text, err->hint);
}

static void a_program_loaded_for_other_links_is_refused(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), false);
	struct tally_bpf *bpf;
	struct probekit_program program;
	struct probekit_error err;
	bool is_multi = probekit_session_attach_type(session, &err) != 0;

	(void)state;
	if (is_multi) /* loaded for perf events, and links are used */
		setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	bpf = tally_load(session, 0);
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	program = tally_program(bpf);
	assert_int_equal(probekit_session_add_program(session, &program, &err), 0);
	if (is_multi)
		assert_refused(probekit_session_start(session, &err), -EINVAL, &err,
			       "expected_attach_type BPF_TRACE_UPROBE_MULTI");
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
	if (!is_multi)
		return;
	/* and the other way round */
	session = new_session(program_path("arguments"), false);
	bpf = tally_load(session, 0);
	program = tally_program(bpf);
	assert_int_equal(probekit_session_add_program(session, &program, &err), 0);
	setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	assert_refused(probekit_session_start(session, &err), -EINVAL, &err,
		       "expected_attach_type 0");
	unsetenv("PROBEKIT_DISABLE_FEATURES");
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
}

static void file_descriptors_of_other_things_are_refused(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), false);
	struct tally_bpf *bpf = tally_load(session, 0);
	const struct probekit_program good = tally_program(bpf);
	const struct {
		int fd;
		int sites_fd;
		const char *text;
	} bad[] = {
		{-1, good.sites_fd, "not the file descriptor of a BPF program"},
		{STDIN_FILENO, good.sites_fd, "not the file descriptor of a BPF program"},
		{good.sites_fd, good.sites_fd, "not the file descriptor of a BPF program"},
		{bpf_program__fd(bpf->progs.filter), -1, "PROBEKIT_PROGRAM()"},
		{good.fd, STDIN_FILENO, "not the file descriptor of a BPF map"},
		{good.fd, good.fd, "not the file descriptor of a BPF map"},
		{good.fd, bpf_map__fd(bpf->maps.tallies), "'tallies' is not the one"},
		{good.fd, -1, "its map probekit_sites is not given"},
	};
	struct probekit_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct probekit_program program = good;

		program.fd = bad[i].fd;
		program.sites_fd = bad[i].sites_fd;
		assert_refused(probekit_session_add_program(session, &program, &err), -EINVAL, &err,
			       bad[i].text);
	}
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
}

static void a_description_that_says_too_little_is_refused(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), true);
	struct tally_bpf *bpf = tally_load(session, 0);
	struct probekit_program program = tally_program(bpf);
	struct probekit_error err;

	(void)state;
	program.roles = 0;
	assert_refused(probekit_session_add_program(session, &program, &err), -EINVAL, &err,
		       "needs roles");
	program.roles = PROBEKIT_AT_EVENT; /* which `events` says */
	assert_refused(probekit_session_add_program(session, &program, &err), -EINVAL, &err,
		       "needs roles");
	program.size++;
	assert_refused(probekit_session_add_program(session, &program, &err), -EINVAL, &err,
		       "newer library");
	assert_refused(probekit_session_start(session, &err), -EINVAL, &err, "none was added");
	assert_int_equal(probekit_session_site_count(session), 0);
	assert_null(probekit_session_site(session, 0));
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
}

static void assert_start_refused(struct probekit_program program, struct tally_bpf *bpf,
				 struct probekit_session *session, int code, const char *text)
{
	struct probekit_error err;

	assert_int_equal(probekit_session_add_program(session, &program, &err), 0);
	assert_refused(probekit_session_start(session, &err), code, &err, text);
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
}

static void a_map_with_too_little_room_is_refused(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), false);
	struct tally_bpf *bpf = tally_load(session, 3);

	(void)state;
	assert_start_refused(tally_program(bpf), bpf, session, -EINVAL, "PROBEKIT_MAX_SITES");
}

static void a_program_without_a_site_is_refused(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), false);
	struct tally_bpf *bpf = tally_load(session, 0);
	struct probekit_program program = tally_program(bpf);

	(void)state;
	program.probes = "nothing:*";
	assert_start_refused(program, bpf, session, -ENOENT, "match 'nothing:*'");
	session = new_session(program_path("spanless"), true);
	bpf = tally_load(session, 0);
	program = tally_program(bpf);
	program.roles = 0;
	program.events = "spanless:*";
	assert_start_refused(program, bpf, session, -ENOENT, "like 'spanless:*'");
}

static void a_program_is_added_before_the_start(void **state)
{
	struct probekit_session *session = new_session(program_path("arguments"), true);
	struct tally_bpf *bpf = tally_load(session, 0);
	struct probekit_program program = tally_program(bpf);
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_session_add_program(session, &program, &err), 0);
	if (probekit_session_start(session, &err))
		fail_msg("%s", err.text);
	assert_refused(probekit_session_add_program(session, &program, &err), -EINVAL, &err,
		       "before the session starts");
	probekit_session_free(session);
	tally_bpf__destroy(bpf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_loaded_for_other_links_is_refused),
		cmocka_unit_test(file_descriptors_of_other_things_are_refused),
		cmocka_unit_test(a_description_that_says_too_little_is_refused),
		cmocka_unit_test(a_map_with_too_little_room_is_refused),
		cmocka_unit_test(a_program_without_a_site_is_refused),
		cmocka_unit_test(a_program_is_added_before_the_start),
	};

	return cmocka_run_group_tests_name("custom refusal", tests, NULL, NULL);
}
