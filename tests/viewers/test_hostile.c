/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target whose every name was made to break what shows it: file, library, symbols, sections, source
 * files, probes, locks, threads. All commands look at it, and every form that they write is read back by
 * a strict reader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shown.h"
#include "support.h"
#include "viewer.h"

#define FILE_NAME                                            \
	"\033[31mprogram\a\n<b>&\"']]>|`;\xff\xe2\x80\xae\\" \
	"x1b \xc2\x9b 12"
#define LIBRARY_NAME "\033]0;library\r\t<script>--><!--\xed\xa0\x80\xe2\x81\xa3.so"
#define DATA_NAME "\033[2Jdata\n| a | b |\n\xf3\xa0\x81\x81\"'"

/* Each kind of name begins with another of them, and has all. */
static const char *const pieces[] = {
	"\033[31m\a",		"<script>&\"']]>", "\xff\xc0\x80\xed\xa0\x80", "|`**](x)",
	"\xe2\x80\xae\xd8\x9c", ";a 12\n\r\t",	   "\xc2\x9b\x32J\x7f\x01",    "\\u0000\\",
};
#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

struct hostile {
	char *folder;
	char *program;
	char *library;
	char *data;
	char pid[16];
	struct support_child target;
};

/* ---- the target ---- */

/* Writes over the names up to their "_end". */
static size_t write_over(char *bytes, size_t size, const char *kind, size_t turn)
{
	size_t found = 0;
	char start[32];
	char *at = bytes;

	snprintf(start, sizeof(start), "hostile_%s_", kind);
	while ((at = memmem(at, size - (size_t)(at - bytes), start, strlen(start)))) {
		char *end = memmem(at, size - (size_t)(at - bytes), "_end", 4);

		for (size_t i = turn; at < end; i++) {
			size_t length = strlen(pieces[i % PIECES]);

			if (length > (size_t)(end - at))
				length = (size_t)(end - at);
			memcpy(at, pieces[i % PIECES], length);
			at += length;
		}
		found++;
	}
	return found;
}

static void make_program(const struct hostile *hostile)
{
	static const char *const kinds[] = {"provider", "span",	  "value",  "function",
					    "lock",	"source", "section"};
	size_t size;
	char *bytes = support_read_file(support_program("hostile"), &size);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_true(write_over(bytes, size, kinds[i], i));
	support_write_file(hostile->program, bytes, size);
	assert_int_equal(chmod(hostile->program, 0755), 0);
	free(bytes);
	bytes = support_read_file(support_program("plugin_hostile.so"), &size);
	support_write_file(hostile->library, bytes, size);
	free(bytes);
}

static int start(void **state)
{
	struct hostile *hostile = calloc(1, sizeof(*hostile));
	const char *words[4];

	hostile->folder = support_new_folder();
	hostile->program = support_join(hostile->folder, FILE_NAME);
	hostile->library = support_join(hostile->folder, LIBRARY_NAME);
	hostile->data = support_join(hostile->folder, DATA_NAME);
	make_program(hostile);
	words[0] = hostile->program;
	words[1] = hostile->library;
	words[2] = hostile->data;
	words[3] = NULL;
	support_start(&hostile->target, NULL, words);
	assert_true(support_wait_text(&hostile->target, &hostile->target.out, "ready"));
	snprintf(hostile->pid, sizeof(hostile->pid), "%d", (int)hostile->target.pid);
	*state = hostile;
	return 0;
}

static int stop(void **state)
{
	struct hostile *hostile = *state;

	support_done(&hostile->target);
	support_remove_folder(hostile->folder);
	free(hostile->program);
	free(hostile->library);
	free(hostile->data);
	free(hostile);
	return 0;
}

/* ---- what is said ---- */

static void check_safe(const struct support_output *output)
{
	if (!shown_is_safe(output->text, output->size_bytes))
		fail_msg("not escaped: %s", output->text);
}

/* Runs `probekit WORD...`; -1: any status will do. */
#define ask(child, status, ...) ask_words(child, status, (const char *const[]){__VA_ARGS__, NULL})

static void ask_words(struct support_child *child, int status, const char *const *words)
{
	const char *all[SUPPORT_MAX_WORDS] = {support_probekit()};

	for (size_t i = 0; words[i]; i++)
		all[i + 1] = words[i];
	support_start(child, &(struct support_how){.folder = "/tmp"}, all);
	support_close_input(child);
	support_finish(child);
	if (status >= 0 && child->status != status)
		fail_msg("probekit %s ended with %d: %s", words[0], child->status, child->err.text);
	check_safe(&child->out);
	check_safe(&child->err);
}

static void check_text(const char *part, const char *const *words)
{
	struct support_child child;

	ask_words(&child, 0, words);
	if (!strstr(child.out.text, part))
		fail_msg("no '%s' in: %s", part, child.out.text);
	support_done(&child);
}

static void check_json(const char *const *words)
{
	struct support_child child;

	ask_words(&child, 0, words);
	json_decref(support_json(child.out.text));
	support_done(&child);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void lists_escape_names(void **state)
{
	const struct hostile *hostile = *state;

	check_text("\\x1b[31m", WORDS("list", hostile->program));
	check_text("_end", WORDS("list", hostile->program, "-f", "*_end"));
	check_text("\\x1b]0;library",
		   WORDS("list", "-p", hostile->pid, "-f", "*library*:hostile_library"));
	check_json(WORDS("list", hostile->program, "--json"));
	check_json(WORDS("list", "-p", hostile->pid, "-f", "*library*:*", "--json"));
	check_text("\\x1b[31m", WORDS("doctor", hostile->program));
	check_text("\\x1bc\\x9b31m", WORDS("doctor", "-p", hostile->pid));
	check_json(WORDS("doctor", "-p", hostile->pid, "--json"));
}

/* JSON on standard output, and the text on standard error. */
static void check_both(const char *const *words)
{
	struct support_child child;

	ask_words(&child, 0, words);
	json_decref(support_json(child.out.text));
	if (!strstr(child.err.text, "_end"))
		fail_msg("no '_end' in: %s", child.err.text);
	support_done(&child);
}

static void measurements_escape_names(void **state)
{
	const struct hostile *hostile = *state;

	support_require_tracing();
	check_both(WORDS("latency", "-p", hostile->pid, "-d", "0.3", "-v", "-s", "*", "-f", "*_end",
			 "--json"));
	check_both(WORDS("locks", "-p", hostile->pid, "-d", "0.3", "--json"));
}

static void check_files(const char *folder, const char *command)
{
	char *said = viewer_run(folder, command);

	assert_string_equal(said, "");
	free(said);
}

static const char folded_check[] =
	"import re\n"
	"text = open('folded', newline='').read()\n"
	"assert text.endswith('\\n') and 'L' * 200 in text\n"
	"for line in text[:-1].split('\\n'):\n"
	"    assert re.fullmatch(r'[^\\x00-\\x1f\\x7f-\\x9f]*[^ ] [0-9]+', line), ascii(line)\n";

static void profiles_escape_names(void **state)
{
	const struct hostile *hostile = *state;
	char *folder = support_new_folder();
	char *folded = support_join(folder, "folded");
	char *svg = support_join(folder, "svg");
	char *pprof = support_join(folder, "pprof");
	struct support_child child;
	char *text;

	support_require_tracing();
	viewer_need("xmllint --version", "libxml2-utils");
	viewer_need("go tool -n pprof", "golang-go");
	ask(&child, 0, "offcpu", "-p", hostile->pid, "-d", "0.3", "--oncpu", "--folded", folded,
	    "--svg", svg, "--pprof", pprof, "--json");
	json_decref(support_json(child.out.text));
	support_done(&child);
	viewer_write(folder, "check.py", folded_check, strlen(folded_check));
	check_files(folder, "python3 check.py");
	check_files(folder, "xmllint --noout svg");
	text = viewer_run(folder, "HOME=$PWD GOFLAGS= go tool pprof -symbolize=none -raw pprof");
	assert_non_null(strstr(text, "LLLLLLLL"));
	if (!shown_is_safe(text, strlen(text)) && strchr(text, '\033'))
		fail_msg("not escaped: %s", text);
	free(text);
	free(folded);
	free(svg);
	free(pprof);
	support_remove_folder(folder);
}

/* Names are text in Markdown: no element, and no cell, of theirs. */
static const char markdown_check[] =
	"import subprocess\n"
	"html = subprocess.run(['cmark-gfm', '-e', 'table', '--unsafe', 'markdown'],\n"
	"                      capture_output=True, check=True).stdout.decode()\n"
	"assert '<script' not in html and '<b>' not in html and 'href=\"x\"' not in html, html\n";

static void comparisons_escape_names(void **state)
{
	const struct hostile *hostile = *state;
	char *folder = support_new_folder();
	char *snapshot = support_join(folder, FILE_NAME);
	char *junit = support_join(folder, "junit");
	char *markdown = support_join(folder, "markdown");
	struct support_child child;

	support_require_tracing();
	viewer_need("cmark-gfm --version", "cmark-gfm");
	ask(&child, 0, "record", "-o", snapshot, "-p", hostile->pid, "-d", "0.3");
	support_done(&child);
	ask(&child, -1, "diff", snapshot, snapshot, "--json", "--junit", junit, "--markdown",
	    markdown, "-v", "--fail-on", "p99>+10%");
	json_decref(support_json(child.out.text));
	support_done(&child);
	check_files(folder, "xmllint --noout junit");
	viewer_write(folder, "check.py", markdown_check, strlen(markdown_check));
	check_files(folder, "python3 check.py");
	check_text("_end", WORDS("latency", "--from", snapshot, "-v"));
	free(snapshot);
	free(junit);
	free(markdown);
	support_remove_folder(folder);
}

/* Whatever is wrong is told in one line. */
static void errors_escape_names(void **state)
{
	static const char *const options[] = {"-p",	"-d",	 "-s",	     "-u", "-f",
					      "--from", "--key", "--cgroup", "-o", "--slow-over"};
	const struct hostile *hostile = *state;
	struct support_child child;
	char *missing = support_join(hostile->folder, "\033[31m\xff\n\xe2\x80\xae");
	char *lengthy = malloc(65536);

	memset(lengthy, 'x', 65535);
	lengthy[65535] = '\0';
	memcpy(lengthy, "\033]0;\n", 5);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		ask(&child, -1, "latency", "-d", "0.1", options[i], missing, hostile->program);
		support_done(&child);
		ask(&child, -1, "latency", "-d", "0.1", options[i], lengthy, hostile->data);
		assert_int_not_equal(child.status, 0);
		support_done(&child);
	}
	ask(&child, 2, missing);
	support_done(&child);
	ask(&child, 2, "list", lengthy, missing);
	support_done(&child);
	ask(&child, 1, "list", hostile->data);
	support_done(&child);
	ask(&child, 2, "latency", "--\033[31m");
	support_done(&child);
	ask(&child, -1, "latency", "--", missing, lengthy);
	assert_int_not_equal(child.status, 0);
	support_done(&child);
	ask(&child, -1, "diff", hostile->data, missing);
	assert_int_not_equal(child.status, 0);
	support_done(&child);
	free(missing);
	free(lengthy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_escape_names),
		cmocka_unit_test(measurements_escape_names),
		cmocka_unit_test(profiles_escape_names),
		cmocka_unit_test(comparisons_escape_names),
		cmocka_unit_test(errors_escape_names),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
